"""Write what the site is built from into _proc: the notebooks as nbdev makes them, and the project's own texts.

Each notebook gets a line at its top: how long it takes, what it needs, and where it can be run and reported.
Those of the book get their numbers into their titles. All public names are listed on one page.
"""

import inspect, json, re, zlib
from configparser import ConfigParser
from importlib import import_module
from operator import attrgetter
from pathlib import Path

import yaml
from nbdev.serve import proc_nbs

top = Path(__file__).resolve().parent.parent
made = top / '_proc'
config = ConfigParser(delimiters=['='])
config.read(top / 'settings.ini', encoding='utf-8')
settings = config['DEFAULT']
on_github = f'{settings["user"]}/{settings["repo"]}'
repository = f'https://github.com/{on_github}'
HIDDEN = re.compile(r'#\|\s*(hide|export)\s*$', re.MULTILINE)  # cells without code on the page
DATA = dict(mnist='MNIST', fashion_mnist='Fashion-MNIST', cifar10='CIFAR-10', cifar100='CIFAR-100')


def rounded(seconds):
    "Seconds in words."
    if seconds < 90:
        return f'{max(10, round(seconds, -1))} seconds'
    return f'{round(seconds / 60)} minutes'


def cost(cells, seconds):
    "How long a page takes to read and to run, and what it needs, as a sentence."
    sources = [''.join(cell['source']) for cell in cells]
    words = sum(len(source.split()) for source in sources if not HIDDEN.match(source))
    minutes = max(1, round(words / 200))
    said = f'{minutes} minute{"s" if minutes > 1 else ""} to read'
    if seconds is not None:
        said += f', about {rounded(seconds)} to run on two cores'
    slow = [source for source in sources if source.startswith('#| slow')]
    if slow:
        named = {name for source in slow for name in re.findall(r"'(\w+)'", source)}
        sets = ' and '.join(DATA[name] for name in DATA if name in named)
        needs = f' and need {sets}' if sets else ''
        said += f'; cells marked slow take longer{needs}, and their results are saved'
    return said + '.'


def top_of(name, cells, seconds):
    "The line at the top of a page, in Markdown."
    file = f'blob/{settings["branch"]}/nbs/{name}.ipynb'
    links = {
        'Open in Colab': f'https://colab.research.google.com/github/{on_github}/{file}',
        'Notebook': f'{repository}/{file.replace("blob", "raw", 1)}',
        'Source': f'{repository}/{file}',
        'Report a problem': f'{repository}/issues/new?template=bug.md&title={name}%3A+',
    }
    look = '{.btn .btn-outline-secondary .btn-sm}'
    buttons = ' '.join(f'[{text}]({link}){look}' for text, link in links.items())
    said = cost(cells, seconds) if name[0].isdigit() else ''  # the others say it in their text
    return f'::: {{.page-top}}\n{said}\n\n{buttons}\n:::'


NAME = re.compile(r'\[(`[^`\n]+`)\]\([^()\s]*\)')  # a name, linked
LINK = re.compile(rf'\[((?:[^\[\]]|{NAME.pattern})*)\](\([^()\s]*\))')  # which may hold such names


def mended(text):
    "Markdown in which no link is inside another: nbdev links names wherever they stand."
    return LINK.sub(lambda link: '[' + NAME.sub(r'\1', link[1]) + ']' + link[3], text)


def front_matter(page):
    "What a page that nbdev has made says of itself: title, description."
    return yaml.safe_load(''.join(page['cells'][0]['source']).strip().strip('-'))


def add_number(page, number):
    "Put a number into the title of a page."
    cell = page['cells'][0]
    about = front_matter(page)
    about['title'] = f'{number} · {about["title"]}'
    cell['source'] = f'---\n{yaml.safe_dump(about, allow_unicode=True)}---\n'


def documented(page):
    "Names that a page documents, in its order."
    for cell in page['cells']:
        yield from re.findall(r'^show_doc\(([\w.]+)', ''.join(cell['source']), re.MULTILINE)


def entry(module, name, page):
    "A line of the reference: a name, linked to where it is defined, and what comes back."
    said = inspect.getdoc(attrgetter(name)(module)) or ''
    indent = '  ' * name.count('.')
    return f'{indent}- [`{name}`]({page}#{name.lower()}): {said.partition(chr(10))[0]}'


def write_reference():
    "Write the page of all public names, by module."
    lines = ['---\ntitle: Reference']
    lines += ['description: Every public name, by module, and where it is built\n---']
    for path in sorted(made.glob('[0-9]*.ipynb')):
        page, name = json.loads(path.read_text(encoding='utf-8')), path.stem.partition('_')[2]
        if names := [*dict.fromkeys(documented(page))]:
            module = import_module(f'kae_nb.{name}')
            lines.append(f'\n## kae_nb.{name}\n\n[{front_matter(page)["title"]}]({path.name})\n')
            lines += [entry(module, each, path.name) for each in names]
    (made / 'reference.qmd').write_text('\n'.join(lines) + '\n', encoding='utf-8')


def add_top(page, name, seconds):
    "Give a page its line, below its title, and one of the book its number."
    source = json.loads((top / 'nbs' / f'{name}.ipynb').read_text(encoding='utf-8'))['cells']
    line = top_of(name, source, seconds)
    number, _, _ = name.partition('_')
    if number[0].isdigit():
        add_number(page, number)
    cell = dict(cell_type='markdown', id='page-top', metadata={}, source=line)
    page['cells'].insert(page['cells'][0]['cell_type'] == 'raw', cell)


def finish_pages():
    "Mend the links of each page, and give all but the front page a line at the top."
    known = json.loads((top / '.ci/seconds.json').read_text())
    for notebook in made.glob('[!_]*.ipynb'):
        page = json.loads(notebook.read_text(encoding='utf-8'))
        for cell in page['cells']:
            if cell['cell_type'] == 'markdown':
                cell['source'] = mended(''.join(cell['source']))
        if notebook.stem != 'index':
            add_top(page, notebook.stem, known.get(notebook.stem))
        notebook.write_text(json.dumps(page, ensure_ascii=False, indent=1), encoding='utf-8')


def write_texts():
    "Pages of the changelog, of how to contribute, of the licence and of how to cite."
    read = lambda name: (top / name).read_text(encoding='utf-8')
    own = lambda name: re.sub(r'\]\(nbs/', '](', read(name).partition('\n')[2])
    citation = 'How to cite kae_nb, and the paper that it reproduces, in the form that GitHub and Zotero read ([CITATION.cff]'
    citation += f'({repository}/blob/{settings["branch"]}/CITATION.cff)):\n\n```yaml\n{read("CITATION.cff")}```\n'
    # lines of 80 characters, which would be wrapped once more on a phone, as paragraphs
    licence = '\n\n'.join(' '.join(part.split()) for part in read('LICENSE').split('\n\n'))
    texts = {
        'changelog': ('Changelog', own('CHANGELOG.md')),
        'contributing': ('Contributing', own('CONTRIBUTING.md')),
        'licence': ('Licence', licence),
        'citation': ('Citation', citation),
    }
    for name, (title, text) in texts.items():
        (made / f'{name}.md').write_text(f'---\ntitle: {title}\n---\n\n{text}', encoding='utf-8')


def write_inventory():
    "Write objects.inv, by which pages of Sphinx link to our names (intersphinx)."
    from kae_nb._modidx import d as index

    head = f'# Sphinx inventory version 2\n# Project: {settings["lib_name"]}\n'
    head += f'# Version: {settings["version"]}\n# The remainder of this file is compressed using zlib.\n'
    names = {
        name: place for module in index['syms'].values() for name, (place, _) in module.items()
    }
    lines = []
    for name, place in names.items():
        if '._' not in name:
            is_method, is_class = name.count('.') > 2, name.rpartition('.')[2][0].isupper()
            kind = 'method' if is_method else 'class' if is_class else 'function'
            lines.append(f'{name} py:{kind} 1 {place} -\n')
    (made / 'objects.inv').write_bytes(head.encode() + zlib.compress(''.join(lines).encode()))


if __name__ == '__main__':
    proc_nbs(force=True)
    finish_pages()
    write_reference()
    write_texts()
    write_inventory()
