"""Print the oldest version that settings.ini promises of each requirement, as constraints for pip."""

import configparser, re
from pathlib import Path

settings = configparser.ConfigParser(delimiters=['='])
settings.read(Path(__file__).resolve().parent.parent / 'settings.ini', encoding='utf-8')
for requirement in settings['DEFAULT']['requirements'].split():
    name, _, rest = requirement.partition('>=')
    if ';' not in rest:
        print(re.sub(r'\[.*\]', '', name) + '==' + rest)
