"""Prepare the site's sources in _proc: nbdev's pages, numbers in the titles of the book, the reference."""

import inspect, json, re
from importlib import import_module
from operator import attrgetter
from pathlib import Path

import yaml
from nbdev.config import get_config
from nbdev.serve import proc_nbs

top = Path(__file__).resolve().parent.parent
sources = top / '_proc'


def front_matter(notebook):
    "The first cell of a page that nbdev made, and what it says: title, description."
    cell = notebook['cells'][0]
    return cell, yaml.safe_load(''.join(cell['source']).strip().strip('-'))


def links(name):
    "A line with what a reader may want to do with a page."
    config = get_config()
    file = f'{config.branch}/nbs/{name}'
    colab = config.git_url.replace(
        'https://github.com', 'https://colab.research.google.com/github'
    )
    shown = {
        'Notebook': f'{config.git_url}/blob/{file}',
        'Report a problem': f'{config.git_url}/issues/new?title={name}:%20',
    }
    if not name[0].isdigit():  # these install the library where they are run
        shown = {'Open in Colab': f'{colab}/blob/{file}'} | shown
    return ' · '.join(f'[{text}]({url})' for text, url in shown.items())


def finish(path):
    "Put its number into the title of a page of the book, and links below the title of any."
    notebook = json.loads(path.read_text(encoding='utf-8'))
    cell, about = front_matter(notebook)
    number, _, _ = path.stem.partition('_')
    if number[0].isdigit():
        about['title'] = f'{number} · {about["title"]}'
    cell['source'] = f'---\n{yaml.safe_dump(about, allow_unicode=True)}---\n'
    if path.stem != 'index':
        said = f'::: {{.page-links}}\n{links(path.name)}\n:::'
        notebook['cells'].insert(1, dict(cell_type='markdown', metadata={}, source=said))
    path.write_text(json.dumps(notebook, ensure_ascii=False), encoding='utf-8')
    return about['title']


def documented(path):
    "Names that a page documents, in its order."
    cells = json.loads(path.read_text(encoding='utf-8'))['cells']
    for cell in cells:
        yield from re.findall(r'^show_doc\(([\w.]+)', ''.join(cell['source']), re.MULTILINE)


def entry(module, name, page):
    "A line of the reference: a name, linked to where it is defined, and what comes back."
    said = inspect.getdoc(attrgetter(name)(module)) or ''
    indent = '  ' * name.count('.')
    return f'{indent}- [`{name}`]({page}#{name.lower()}): {said.partition(chr(10))[0]}'


def reference(pages):
    "The page of all public names, by module; of pages (path, title)."
    yield '---\ntitle: Reference\ndescription: Every public name, by module, and where it is built\n---'
    for path, title in pages:
        name = path.stem.partition('_')[2]
        names = [*dict.fromkeys(documented(path))]
        if names:
            module = import_module(f'kae_nb.{name}')
            yield f'\n## kae_nb.{name}\n\n[{title}]({path.name})\n'
            yield from (entry(module, each, path.name) for each in names)


def prepare():
    "Write the sources of all pages."
    proc_nbs(force=True)
    titles = {path: finish(path) for path in sorted(sources.glob('*.ipynb'))}
    book = [(path, title) for path, title in titles.items() if path.stem[0].isdigit()]
    (sources / 'reference.qmd').write_text('\n'.join(reference(book)) + '\n', encoding='utf-8')


if __name__ == '__main__':
    prepare()
