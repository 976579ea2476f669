"The site: its check finds what is wrong with a page, its settings are Quarto's, its index can be read."

import importlib.util, json, os, shutil, zlib
from pathlib import Path

import pytest
import yaml

top = Path(__file__).resolve().parent.parent


def load(name):
    "A script of .ci as a module."
    spec = importlib.util.spec_from_file_location(name, top / '.ci' / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


pages = load('pages')
why_not = pages.why_not()
in_browser = pytest.mark.skipif(why_not is not None, reason=str(why_not))

PIXEL = 'data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7'
row = '<tr>' + '<td>0.123456789</td>' * 12 + '</tr>'
GOOD = f"""
    <p>See <a href="other.html"><code>fit</code></a>, and <code>a[0](x)</code>.</p>
    <pre style="white-space: pre-wrap">x = {'1 + ' * 100}1</pre>
    <table><tr><td>PCA</td><td>0.0254</td></tr></table>
    <img src="{PIXEL}" alt="a curve that falls">
"""
BROKEN = {  # what is on the page, and what is said of it
    'code': ('<pre>x = ' + 'y' * 300 + '</pre>', 'code block cut off'),
    'scrolled': (f'<pre style="overflow-x: auto">{"y" * 300}</pre>', 'code block cut off'),
    'table': (f'<table>{row}</table>', 'table cut off'),
    'phone': (f'<table>{row.replace("56789", "")}</table>', 'at 420 pixels'),
    'hidden': (f'<div style="overflow: hidden"><table>{row}</table></div>', 'table cut off'),
    'shortened': ('<table><tr><td>1</td><td>...</td></tr></table>', 'columns or rows left out'),
    'figure': (f'<img src="{PIXEL}" width="1500" alt="a wide curve">', 'figure cut off'),
    'link': ('<p>See [<code>fit</code>](27_training.ipynb) there.</p>', 'raw link'),
    'code_link': ('<p><code>[fit](training.html)</code></p>', 'raw link'),
    'silent': (f'<img src="{PIXEL}">', 'figure without a text'),
    'one_word': (f'<img src="{PIXEL}" alt="png">', 'figure without a text'),
    'script': ('<script>nothing.here()</script>', 'the console says'),
    'console': ('<script>console.error("it broke")</script>', 'the console says it broke'),
    'missing': ('<img src="nowhere.png" alt="a lost curve">', 'the console says'),
}


@in_browser
def test_broken_pages_are_found(tmp_path):
    "A good page passes; one with a mistake of each kind is named, with the mistake."
    whole = '<!doctype html><meta charset="utf-8"><main style="max-width: 720px">{}</main>'
    for name, body in dict(good=GOOD, **{k: body for k, (body, _) in BROKEN.items()}).items():
        (tmp_path / f'{name}.html').write_text(whole.format(body), encoding='utf-8')
    found = [*pages.problems(tmp_path)]
    for name, (_, said) in BROKEN.items():
        assert any(line.startswith(f'{name}.html: ') and said in line for line in found), name
    assert not [line for line in found if line.startswith('good')]


def test_no_browser_is_said(monkeypatch):
    monkeypatch.setenv('PATH', '')
    assert 'chromium' in pages.why_not()


def test_top_of_a_page():
    "What a page takes is said in words, from its cells and the measured seconds."
    prepare = load('prepare')
    cell = lambda kind, source: dict(cell_type=kind, source=[source])
    text, slow = cell('markdown', 'word ' * 700), cell('code', "#| slow\nload('mnist', 'digits')")
    assert prepare.cost([text], None) == '4 minutes to read.'
    assert prepare.cost([text], 34) == '4 minutes to read, about 30 seconds to run on two cores.'
    assert prepare.cost([text], 130).endswith('about 2 minutes to run on two cores.')
    assert 'marked slow take longer and need MNIST, and their results' in prepare.cost([slow], 1)
    line = prepare.top_of('12_spline', [text], None)
    for link in (
        'colab.research.google.com/github/',
        '/raw/main/nbs/12_spline.ipynb',
        'issues/new',
    ):
        assert link in line


def test_links_inside_links():
    "A link with a name in it, which nbdev has linked too, leads where its author said."
    mended = load('prepare').mended
    twice = 'see [`fit` and [`KAE`](https://a/b.html#kae)](56_estimator.ipynb), `x[0](y)`'
    assert mended(twice) == 'see [`fit` and `KAE`](56_estimator.ipynb), `x[0](y)`'
    both = '[[`fit`](https://a/t.html#fit), [`KAE`](https://a/b.html#kae)](index.ipynb)'
    assert mended(both) == '[`fit`, `KAE`](index.ipynb)'
    alone = 'a link to [`fit`](https://a/t.html#fit), and [words](there.ipynb)'
    assert mended(alone) == alone


def test_inventory(tmp_path, monkeypatch):
    "Sphinx's format, read back: each public name with its page."
    prepare = load('prepare')
    monkeypatch.setattr(prepare, 'made', tmp_path)
    prepare.write_inventory()
    *head, body = (tmp_path / 'objects.inv').read_bytes().split(b'\n', 4)
    assert head[0] == b'# Sphinx inventory version 2' and len(head) == 4
    names = dict(line.split(' ', 1) for line in zlib.decompress(body).decode().splitlines())
    assert names['kae_nb.training.fit'] == 'py:function 1 training.html#fit -'
    assert names['kae_nb.estimator.KAE'] == 'py:class 1 estimator.html#kae -'
    assert names['kae_nb.estimator.KAE.fit'] == 'py:method 1 estimator.html#kae.fit -'
    assert not [name for name in names if '._' in name]


def quarto_schemas():
    "The folder of Quarto's schemas: that of the installed Quarto, or named by KAE_NB_QUARTO."
    named, installed = os.environ.get('KAE_NB_QUARTO'), shutil.which('quarto')
    if installed and not named:
        named = Path(installed).resolve().parent.parent / 'share'
    return Path(named or top / 'no-quarto') / 'schema/json-schemas.json'


def plain(schema):
    "One of Quarto's schemas, which are almost JSON Schema, as JSON Schema."
    if isinstance(schema, list):
        return [*map(plain, schema)]
    if not isinstance(schema, dict):
        return schema
    if 'object' in schema:
        return dict(type='object', **{k: plain(v) for k, v in schema['object'].items()})
    if isinstance(schema.get('enum'), dict):
        return dict(enum=schema['enum']['values'])
    return {key: plain(value) for key, value in schema.items()}


@pytest.mark.skipif(
    not quarto_schemas().exists(), reason='Quarto, whose schema it is, is not here'
)
def test_settings_are_quartos():
    "The part of _quarto.yml about the website has Quarto's names and types, and no others."
    import jsonschema

    definitions = plain(json.loads(quarto_schemas().read_text(encoding='utf-8'))['$defs'])
    website = yaml.safe_load((top / '_quarto.yml').read_text(encoding='utf-8'))['website']
    schema = {'$ref': '#/$defs/BaseWebsite', '$defs': definitions}
    check = jsonschema.Draft202012Validator(schema)
    check.validate(website)
    assert set(website) <= set(definitions['BaseWebsite']['properties'])
    assert not check.is_valid(website | {'repo-actions': ['sauce']})
    assert not check.is_valid(website | {'page-navigation': 'perhaps'})


def test_no_places_in_outputs():
    "Saved outputs do not say where they were made: `.ci/tidy.py` has nothing to do."
    tidied = load('tidy').tidied
    warning = '/tmp/ipykernel_7/123.py:4: UserWarning: few\n  fit(model)\n'
    assert tidied(warning) == 'UserWarning: few\n  fit(model)\n'
    assert tidied('/home/me/kae_nb/data.py:3: UserWarning: x') == 'kae_nb/data.py: UserWarning: x'
    library = '/opt/lib/python3/site-packages/torch/jit/_script.py:14: FutureWarning: y'
    assert tidied(library) == 'torch/jit/_script.py: FutureWarning: y'
    assert tidied('see https://a.b/kae_nb/data.py') == 'see https://a.b/kae_nb/data.py'
    left = {}
    for path in sorted((top / 'nbs').glob('*.ipynb')):
        for cell in json.loads(path.read_text(encoding='utf-8'))['cells']:
            for output in cell.get('outputs', ()):
                text = ''.join(output.get('text', ()))
                if tidied(text) != text:
                    left[path.name] = text[:80]
    assert not left
