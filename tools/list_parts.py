"""Print every registry with its parts, what each is, and which plugin it came from: ``python tools/list_parts.py [WORD ...]``."""

import argparse
import inspect
import json
import re

from toolkit.cli import main_guard


@main_guard
def main(argv: list[str] | None = None) -> None:
    """Parse the command line and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('words', nargs='*', help='only registries or parts whose name contains one of these, for example GENERATORS')
    parser.add_argument('--import', nargs='+', default=[], dest='modules', metavar='MODULE', help='modules of your own to import first')
    parser.add_argument('--json', action='store_true', help='as JSON')
    args = parser.parse_args(argv)

    from toolkit.plugins import describe_plugins, import_custom, load_plugins, origin
    from toolkit.registry import ENGINE_REGISTRIES, PART_REGISTRIES
    load_plugins()
    import_custom(args.modules)
    table = {}
    for registry_name, registry in {**PART_REGISTRIES, **ENGINE_REGISTRIES}.items():
        registry.import_from_location()
        for name, part in sorted(registry.module_dict.items()):
            if not args.words or any(word.lower() in text.lower() for word in args.words for text in (registry_name, name)):
                summary = (inspect.getdoc(part) or '').partition('\n\n')[0].replace('\n', ' ')
                summary = re.sub(r'(:\w+:)?`+~?([^`]*)`+', r'\2', summary)
                table.setdefault(registry_name, []).append(dict(name=name, summary=summary, origin=origin(part.__module__)))
    if args.json:
        print(json.dumps(dict(plugins=load_plugins(), registries=table), indent=2))
        return
    print(f'plugins: {describe_plugins()}')
    for registry_name, parts in table.items():
        print(f'\n{registry_name}')
        for part in parts:
            print(f'  {part["name"]:<24} {part["summary"]}  [{part["origin"]}]')


if __name__ == '__main__':
    main()
