"The package as `settings.ini` describes it."

from configparser import ConfigParser
from pathlib import Path
from setuptools import find_packages, setup

config = ConfigParser(delimiters=['='])
config.read('settings.ini', encoding='utf-8')
settings = config['DEFAULT']

setup(
    name=settings['lib_name'],
    version=settings['version'],
    description=settings['description'],
    long_description=Path('README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    author=settings['author'],
    author_email=settings['author_email'],
    url=settings['git_url'],
    license='Apache-2.0',
    keywords=settings['keywords'],
    classifiers=[
        'Development Status :: 3 - Alpha',
        'Intended Audience :: Developers',
        'Intended Audience :: Science/Research',
        'Natural Language :: English',
        *(f'Programming Language :: Python :: 3.{minor}' for minor in range(10, 15)),
        'Typing :: Typed',
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
    ],
    package_dir={'': '.'},  # so that an editable install is found before a folder called kae_nb
    packages=find_packages(include=['kae_nb', 'kae_nb.*']),
    package_data={'kae_nb': ['py.typed']},
    python_requires=f">={settings['min_python']}",
    install_requires=settings['requirements'].split(),
    extras_require={
        extra: settings[f'{extra}_requirements'].split()
        for extra in ('dev', 'dask', 'log', 'onnx', 'parquet', 'ray')
    },
    entry_points={
        'console_scripts': settings['console_scripts'].split(),
        'nbdev': [f"{settings['lib_name']}={settings['lib_name']}._modidx:d"],
    },
)
