"""Look at built pages as a visitor does: nothing cut off, no raw links, pictures described, no errors.

python .ci/pages.py [FOLDER]: one line for each problem of the pages in a folder, _proc/_docs if not said.
"""

import shutil, sys
from pathlib import Path

WIDTHS = 1200, 420
BROWSERS = 'chromium', 'chromium-browser', 'google-chrome', 'chrome'
ADDRESS = 'http://site.test/'

# runs in the page, and returns what is wrong with it at its present width
LOOK = r"""() => {
  const found = [], main = document.querySelector('main') || document.body;
  const about = (each) => JSON.stringify(each.textContent.trim().replace(/\s+/g, ' ').slice(0, 60));
  const shown = (each) => each.getClientRects().length > 0;
  const edge = main.getBoundingClientRect().right;
  // an element that is wider than what it is in, or than the page
  const isCut = (each) => {
    for (let box = each; box && box !== document.body; box = box.parentElement)
      if (getComputedStyle(box).overflowX !== 'visible' && box.scrollWidth > box.clientWidth + 1)
        return true;
    return each.getBoundingClientRect().right > edge + 1 || each.scrollWidth > each.clientWidth + 1;
  };
  for (const [name, choice] of [['code block', 'pre'], ['table', 'table'], ['figure', 'img, svg']])
    for (const each of main.querySelectorAll(choice))
      if (shown(each) && isCut(each)) found.push(`${name} cut off: ${about(each) || each.src}`);
  if (document.documentElement.scrollWidth > innerWidth + 1) found.push('wider than the screen');
  for (const cell of main.querySelectorAll('td, th'))
    if (/^(\.\.\.|…)$/.test(cell.textContent.trim())) found.push('table with columns or rows left out');
  for (const each of main.querySelectorAll('img'))
    if (!(each.alt || '').trim().includes(' ')) found.push(`figure without a text: ${each.src.slice(-40)}`);
  const texts = document.createTreeWalker(main, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = texts.currentNode, box = text.parentElement;
    if (box.closest('pre, script, style, .math')) continue;
    if (/\]\((https?:|[\w\/.#-]+\.(html|ipynb|md)|#)/.test(text.data)) found.push(`raw link: ${about(text)}`);
  }
  return found;
}"""


def browser_path():
    "The browser of this machine, or None."
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def why_not():
    "Why pages cannot be looked at here, or None."
    if browser_path() is None:
        return f'none of {", ".join(BROWSERS)} is installed'
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        return 'playwright is not installed'


def from_folder(folder):
    "What answers a page's requests: the files of a folder; everything elsewhere is empty."

    def answer(route):
        path = folder / route.request.url.removeprefix(ADDRESS).partition('?')[0]
        if not route.request.url.startswith(ADDRESS):
            route.fulfill(body='')
        elif path.is_file():
            route.fulfill(path=path)
        else:
            route.fulfill(status=404)

    return answer


def problems(folder):
    "What is wrong with the pages of a folder, one line each."
    from playwright.sync_api import sync_playwright

    folder, errors = Path(folder), []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path())
        tab = browser.new_page()
        tab.route('**/*', from_folder(folder))
        tab.on('console', lambda said: said.type == 'error' and errors.append(said.text))
        tab.on('pageerror', lambda error: errors.append(str(error)))
        for page in sorted(folder.rglob('*.html')):
            name = page.relative_to(folder).as_posix()
            tab.goto(ADDRESS + name.partition('#')[0])
            found = {}  # the widths of each problem
            for width in WIDTHS:
                tab.set_viewport_size(dict(width=width, height=900))
                for problem in tab.evaluate(LOOK):
                    found.setdefault(problem, []).append(width)
            for problem, widths in found.items():
                at = '' if len(set(widths)) == len(WIDTHS) else f' at {widths[0]} pixels'
                yield f'{name}: {problem}{at}'
            yield from (f'{name}: the console says {error}' for error in errors)
            errors.clear()
        browser.close()


if __name__ == '__main__':
    if reason := why_not():
        sys.exit(f'pages not looked at: {reason}')
    top = Path(__file__).resolve().parent.parent
    found = [*problems(Path(sys.argv[1]) if len(sys.argv) > 1 else top / '_proc/_docs')]
    print(*found, sep='\n')
    sys.exit(bool(found))
