"The wheel: built from the sources, it holds every module, the commands and the licence, and nothing else."

import ast, configparser, shutil, subprocess, sys, zipfile
from pathlib import Path

import pytest

top = Path(__file__).resolve().parent.parent


@pytest.fixture(scope='module')
def wheel(tmp_path_factory):
    "A wheel built from a copy of what the build needs, so that nothing is left in the checkout."
    source, target = tmp_path_factory.mktemp('source'), tmp_path_factory.mktemp('wheel')
    for name in ('settings.ini', 'setup.py', 'pyproject.toml', 'README.md', 'LICENSE'):
        shutil.copy(top / name, source)
    shutil.copytree(
        top / 'kae_nb', source / 'kae_nb', ignore=shutil.ignore_patterns('__pycache__')
    )
    shutil.copytree(top / 'tests', source / 'tests', ignore=shutil.ignore_patterns('__pycache__'))
    subprocess.run(
        [sys.executable, '-m', 'pip', 'wheel', '-q', '--no-deps', '-w', target, source], check=True
    )
    return zipfile.ZipFile(next(target.glob('*.whl')))


def settings():
    config = configparser.ConfigParser(delimiters=['='])
    config.read(top / 'settings.ini', encoding='utf-8')
    return config['DEFAULT']


def test_holds_the_package_and_nothing_else(wheel):
    modules = {f'kae_nb/{p.name}' for p in (top / 'kae_nb').glob('*.py')}
    assert {n for n in wheel.namelist() if '.dist-info/' not in n} == modules | {'kae_nb/py.typed'}
    assert any(n.endswith('LICENSE') for n in wheel.namelist())


def test_metadata(wheel):
    read = lambda name: wheel.read(next(n for n in wheel.namelist() if n.endswith(name))).decode()
    metadata = read('METADATA')
    assert (
        f"Version: {settings()['version']}" in metadata and 'Requires-Python: >=3.10' in metadata
    )
    for requirement in settings()['requirements'].split():
        assert f"Requires-Dist: {requirement.split('>')[0]}" in metadata
    for command in settings()['console_scripts'].split():
        assert command.replace('=', ' = ') in read('entry_points.txt')


def test_floors():
    "A notebook imports only from lower floors, or from its own."
    floor = {p.stem.split('_', 1)[1]: int(p.stem[0]) for p in (top / 'nbs').glob('[0-9]*.ipynb')}
    for module, level in floor.items():
        tree = ast.parse((top / f'kae_nb/{module}.py').read_text(encoding='utf-8'))
        imported = {
            node.module
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module
        }
        assert all(floor[m] <= level for m in imported), (module, imported)
