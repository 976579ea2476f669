"The wheel: built from the sources, it holds every module, the commands and the licence, and nothing else."

import ast, configparser, json, re, shutil, subprocess, sys, zipfile
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


def imported(notebook):
    "The modules of this package that a notebook imports, on the page or for the package."
    cells = json.loads(notebook.read_text(encoding='utf-8'))['cells']
    lines = [line for cell in cells if cell['cell_type'] == 'code' for line in cell['source']]
    return set(re.findall(r'^\s*(?:from|import) kae_nb\.(\w+)', ''.join(lines), re.MULTILINE))


def test_numbers_give_the_order():
    "A notebook imports nothing from a later one, so they can be read from first to last."
    notebooks = sorted((top / 'nbs').glob('[0-9]*.ipynb'))
    numbers = [p.stem.partition('_')[0] for p in notebooks]  # such as 26 and 26a
    assert len(set(numbers)) == len(numbers)
    place = {p.stem.partition('_')[2]: k for k, p in enumerate(notebooks)}
    later = {
        p.stem: found
        for k, p in enumerate(notebooks)
        if (found := [module for module in imported(p) if place[module] > k])
    }
    assert not later
    assert imported(top / 'nbs/27_training.ipynb') >= {'checks', 'rates', 'autoencoder'}


def public_functions():
    "Public functions and methods of the package, as parts of its source."
    for file in sorted((top / 'kae_nb').glob('[a-z]*.py')):
        for node in ast.parse(file.read_text(encoding='utf-8')).body:
            own = node.body if isinstance(node, ast.ClassDef) else [node]
            for function in own:
                public = isinstance(function, ast.FunctionDef) and function.name[0] != '_'
                if public and node.name[0] != '_':
                    yield file.stem, function


def test_annotations():
    "Each parameter of a public function has a type: what mypy checks is then all of it."
    bare = []
    for module, function in public_functions():
        arguments = function.args.posonlyargs + function.args.args + function.args.kwonlyargs
        for each in arguments:
            if each.annotation is None and each.arg not in ('self', 'cls', 'ctx', 'info'):
                bare.append(f'{module}.{function.name}: {each.arg}')
    assert not bare
    assert len([*public_functions()]) > 300


def test_ground_imports_no_layer():
    "What reads pictures and data knows nothing of layers; what checks arguments does without torch."
    code = """if 1:
        import sys, kae_nb.checks, kae_nb.console
        assert 'torch' not in sys.modules
        import kae_nb.data, kae_nb.checkpoints, kae_nb.testing
        print(*(name for name in sys.modules if name.startswith('kae_nb.')))"""
    run = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    layers = {p.stem[3:] for p in (top / 'nbs').glob('1[0-9]_*.ipynb')}
    assert not {f'kae_nb.{name}' for name in layers} & set(run.stdout.split())
