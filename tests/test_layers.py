"""What a notebook cannot hold about layers: another process, its options and its time."""

import subprocess, sys, time

import pytest

CHECK = '''
import torch
from torch import nn
from kae_nb.layer import check_layer

class Forgetful(nn.Linear):
    "Drops leading dimensions."
    def forward(self, x): return super().forward(x.reshape(-1, self.in_features))

class Rounding(nn.Linear):
    "Computes in single precision, whatever it is given."
    def forward(self, x): return nn.functional.linear(x.float(), self.weight.float(), self.bias.float()).to(self.weight.dtype)

check_layer(lambda **options: nn.Linear(5, 3, **options), backend=None)
for kind in (Forgetful, Rounding):
    try: check_layer(lambda **options: kind(5, 3, **options), backend=None)
    except AssertionError as error: print(kind.__name__, error)
'''


def test_check_layer_raises_where_assertions_are_off():
    done = subprocess.run(
        [sys.executable, '-O', '-c', CHECK], capture_output=True, text=True, check=True
    )
    assert [line.split()[0] for line in done.stdout.splitlines()] == ['Forgetful', 'Rounding']


def test_nonsense_sizes_are_refused_at_once():
    from kae_nb.layers import LAYERS, make_layer

    start = time.perf_counter()
    nonsense = [
        ('kae', dict(order=10**6)),
        ('kan', dict(grid_size=10**9)),
        ('kan', dict(spline_order=3000)),
        ('fourierkan', dict(grid_size=10**12)),
    ]
    for name, options in nonsense:
        with pytest.raises(ValueError, match=f'{list(options)[0]} must be at most'):
            make_layer(name, 784, 16, **options)
    for name in LAYERS:
        with pytest.raises(
            ValueError, match=r'has [\d,]+ GB of parameters and takes [\d,]+ GB to train; cpu has'
        ):
            make_layer(name, 10**12, 16)
        with pytest.raises(ValueError, match='out_features must be at most'):
            make_layer(name, 784, 10**30)
        with pytest.raises(ValueError, match='device must be one that this machine has') as caught:
            make_layer(name, 784, 16, device='cuda:99')
        assert '\n' not in str(caught.value)
    assert time.perf_counter() - start < 10
