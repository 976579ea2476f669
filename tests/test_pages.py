"A page may be run in a process that has the package: what it defines leaves the package's alone."

import pkgutil
from pathlib import Path

import pytest
import torch

import kae_nb
from kae_nb import wavelet
from kae_nb.layers import LAYERS, make_layer
from kae_nb.residual import ResidualAutoEncoder
from kae_nb.testing import relative_error

# an operator that is defined again leaves the first one pointing at freed memory, which may go
# well for a while: so what torch knows by its name is looked at, too
OPERATORS = [wavelet.wavelet_sum._opoverload, wavelet.wavelet_sum_backward._opoverload]
FOLDER = Path(kae_nb.__file__).parent
MODULES = sorted(module.name for module in pkgutil.iter_modules([str(FOLDER)]))


def outputs():
    "What layers and a model of the package give, and their gradients, by name."
    found = {}
    for name in (*LAYERS, 'residual'):
        torch.manual_seed(0)
        made = ResidualAutoEncoder(6, 2, (5,)) if name == 'residual' else make_layer(name, 6, 5)
        x = torch.rand(7, 6)
        y = made(x)
        y.square().sum().backward()
        gradients = [p.grad.flatten() for p in made.parameters() if p.grad is not None]
        found[name] = torch.cat([y.detach().flatten(), *gradients])
    return found


@pytest.mark.parametrize('module', [name for name in MODULES if not name.startswith('_')])
def test_run_as_a_page(module):
    "All definitions of a module, run again as a notebook runs them."
    before = outputs()
    source = (
        (FOLDER / f'{module}.py').read_text(encoding='utf-8').replace('from .', 'from kae_nb.')
    )
    source = source.replace('from kae_nb. import', 'from kae_nb import')
    page = {'__name__': '__main__', '__file__': str(FOLDER / f'{module}.py')}
    exec(compile(source, f'{module}.py', 'exec'), page)
    for operator in OPERATORS:
        space, name = operator.name().split('::')
        assert getattr(getattr(torch.ops, space), name).default is operator
    after = outputs()
    for name in before:
        assert relative_error(after[name], before[name]) < 1e-6, name
