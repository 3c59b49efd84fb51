"""Figures for docs/results.md, each from one command."""
