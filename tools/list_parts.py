"""Print every registry with its parts, what each is, and which plugin it came from: ``python tools/list_parts.py [WORD ...]``.

A registry that is asked for by its name, ``python tools/list_parts.py GENERATORS``, says what its parts are called with and return;
FIELDS says how a map of each frame is added.
"""

import argparse
import inspect
import json
import re
import textwrap

from toolkit.cli import main_guard


@main_guard
def main(argv: list[str] | None = None) -> None:
    """Parse the command line and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('words', nargs='*', help='only registries or parts whose name contains one of these, for example GENERATORS')
    parser.add_argument('--import', nargs='+', default=[], dest='modules', metavar='MODULE', help='modules of your own to import first')
    parser.add_argument('--json', action='store_true', help='as JSON')
    args = parser.parse_args(argv)

    from toolkit.fields import ADDED, add
    from toolkit.plugins import describe_plugins, import_custom, load_plugins, origin
    from toolkit.registry import ALL_REGISTRIES, did_you_mean
    from toolkit.structures import InputError
    load_plugins()
    import_custom(args.modules, '--import')
    table, contracts = {}, {}
    for registry_name, registry in ALL_REGISTRIES.items():
        registry.import_from_location()
        if any(word.lower() in registry_name.lower() for word in args.words):
            contracts[registry_name] = plain(registry.contract)
            table[registry_name] = []
        for name, part in sorted(registry.module_dict.items()):
            if not args.words or any(word.lower() in text.lower() for word in args.words for text in (registry_name, name)):
                summary = inspect.cleandoc(part.__doc__ or '').partition('\n\n')[0].replace('\n', ' ')
                table.setdefault(registry_name, []).append(dict(name=name, summary=plain(summary), origin=origin(part.__module__)))
    if any(word.lower() in 'fields' for word in args.words):
        contracts['FIELDS'], table['FIELDS'] = plain(inspect.getdoc(add)), []
    for name, field in sorted(ADDED.items()):
        if field.compute and (not args.words or any(word.lower() in text for word in args.words for text in ('fields', name.lower()))):
            summary = f'{field.kind} of {field.channels} channels from {", ".join(field.inputs)}'
            table.setdefault('FIELDS', []).append(dict(name=name, summary=summary, origin=origin(field.compute.__module__)))
    if args.words and not table:
        names = {*ALL_REGISTRIES, *ADDED, *(name for registry in ALL_REGISTRIES.values() for name in registry.module_dict)}
        raise InputError(f'no registry and no part has {" or ".join(args.words)} in its name.{did_you_mean(args.words[0], names)}')
    if args.json:
        print(json.dumps(dict(plugins=load_plugins(), registries=table, contracts=contracts), indent=2))
        return
    print(f'plugins: {describe_plugins()}')
    for registry_name, parts in table.items():
        print(f'\n{registry_name}')
        if registry_name in contracts:
            print(textwrap.indent(contracts[registry_name], '  ') + '\n')
        for part in parts:
            print(f'  {part["name"]:<24} {part["summary"]}  [{part["origin"]}]')


def plain(text: str) -> str:
    """A docstring without the marks of references and code."""
    return re.sub(r'(:\w+:)?`+~?([^`]*)`+', r'\2', text)


if __name__ == '__main__':
    main()
