"How the site's sources are prepared: numbers in titles, links below them, the reference."

import importlib.util, json, re
from pathlib import Path

import pytest
import yaml

top = Path(__file__).resolve().parent.parent
pytest.importorskip('nbdev')


@pytest.fixture(scope='module')
def pages():
    "The module .ci/pages.py."
    spec = importlib.util.spec_from_file_location('pages', top / '.ci/pages.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def page(path, *cells, title='Odd: rows'):
    "A page as nbdev prepares it."
    head = dict(
        cell_type='raw', metadata={}, source=f"---\ntitle: '{title}'\noutput-file: a.html\n---\n"
    )
    rest = [dict(cell_type='code', metadata={}, outputs=[], source=source) for source in cells]
    path.write_text(json.dumps(dict(cells=[head, *rest])), encoding='utf-8')
    return path


def source(path, k):
    return ''.join(json.loads(path.read_text(encoding='utf-8'))['cells'][k]['source'])


def test_the_book_is_numbered(pages, tmp_path):
    path = page(tmp_path / '58_anomaly.ipynb', 'x = 1')
    assert pages.finish(path) == '58 · Odd: rows'
    assert yaml.safe_load(source(path, 0).strip().strip('-'))['title'] == '58 · Odd: rows'
    assert 'blob/main/nbs/58_anomaly.ipynb' in source(path, 1) and 'Colab' not in source(path, 1)
    assert source(path, 2) == 'x = 1'


def test_other_pages_have_no_number(pages, tmp_path):
    path = page(tmp_path / 'how_to_export.ipynb', 'x = 1')
    assert pages.finish(path) == 'Odd: rows' and 'Open in Colab' in source(path, 1)
    index = page(tmp_path / 'index.ipynb', 'x = 1')
    assert pages.finish(index) == 'Odd: rows' and source(index, 1) == 'x = 1'


def test_reference(pages, tmp_path):
    "Each name that a page documents, once, with its docstring and a link to where it stands."
    shown = '#| echo: false\n#| output: asis\nshow_doc('
    cells = [
        f'{shown}KAEDetector)',
        f'{shown}KAEDetector.explain, title_level=3)',
        f'{shown}KAEDetector)',
    ]
    path = page(tmp_path / '58_anomaly.ipynb', *cells)
    text = '\n'.join(pages.reference([(path, '58 · Odd rows')]))
    assert '## kae_nb.anomaly\n\n[58 · Odd rows](58_anomaly.ipynb)' in text
    lines = [line for line in text.splitlines() if line.lstrip().startswith('- ')]
    assert len(lines) == 2
    assert lines[0].startswith('- [`KAEDetector`](58_anomaly.ipynb#kaedetector): Finds rows')
    assert lines[1].startswith(
        '  - [`KAEDetector.explain`](58_anomaly.ipynb#kaedetector.explain): '
    )


def test_every_page_is_in_the_sidebar():
    "And what is in the sidebar is a page, but for the reference, which the build makes."
    listed = re.findall(
        r'- ([\w/]+\.(?:ipynb|qmd|md))', (top / '_quarto.yml').read_text(encoding='utf-8')
    )
    there = {path.name for path in (top / 'nbs').glob('[!_]*.ipynb')}
    assert len(listed) == len(set(listed))
    assert {name for name in listed if name.endswith('.ipynb')} == there
    assert 'reference.qmd' in listed
    book = [name for name in listed if name[0].isdigit()]
    assert book == sorted(book)


def test_how_tos_export_nothing():
    "Pages that start a job or show one have no code of the package."
    for path in (top / 'nbs').glob('[a-z]*.ipynb'):
        cells = json.loads(path.read_text(encoding='utf-8'))['cells']
        assert not any(
            re.search(r'#\|\s*(export|default_exp)', ''.join(c['source'])) for c in cells
        )
        text = ''.join(''.join(c['source']) for c in cells)
        if path.stem.startswith('how_to_'):
            assert '**You need**' in text and '## Where to go on' in text, path.name
            assert any(
                'image/png' in o.get('data', {})
                or 'text/html' in o.get('data', {})
                or o.get('name') == 'stdout'
                for c in cells
                for o in c.get('outputs', ())
            ), path.name
