"""How channels run through a network: which of a wide one continue which of a narrow one."""

from paenet.packing.channels.provenance import ChannelMaps, trace

__all__ = ["ChannelMaps", "trace"]
