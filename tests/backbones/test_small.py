import torch

from paenet.backbones import Small


def test_it_is_small() -> None:
    with torch.device("meta"):
        assert 200_000 < sum(p.numel() for p in Small().parameters()) < 400_000


def test_the_output_has_the_size_that_is_asked_for() -> None:
    assert Small(width=0.5, features=32).eval()(torch.zeros(1, 3, 64, 64)).shape == (1, 32)


def test_it_takes_images_of_other_sizes() -> None:
    network = Small(width=0.5).eval()
    assert network(torch.zeros(1, 3, 16, 16)).shape == network(torch.zeros(1, 3, 72, 96)).shape


def test_stream_and_inner_layers_have_widths_of_their_own() -> None:
    network = Small(width={"stem": 2.0, "stage2.inner": 0.5, "stage3": 3.0})
    assert network.stem[0].out_channels == 32
    assert network.stage2.conv1.out_channels == 32
    assert network.stage2.conv2.out_channels == 64
    assert network.stage3.conv2.out_channels == network.linear.in_features == 384


def test_a_hundred_steps_fit_eight_images() -> None:
    network = Small(width=0.5, features=8)
    images = torch.randn(8, 3, 32, 32)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
    for _ in range(100):
        loss = torch.nn.functional.cross_entropy(network(images), torch.arange(8))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert network(images).argmax(1).tolist() == list(range(8))
