"""template.yaml as YAML that keeps CloudFormation's short forms (`!Ref`, `!Sub`), and written as it was read."""

import yaml


class Tagged:
    """A value with a tag such as !Ref."""

    def __init__(self, tag, value):
        self.tag, self.value = tag, value


class Short(yaml.SafeLoader):
    """CloudFormation's short forms are kept as they are."""


def keep(loader, suffix, node):
    if isinstance(node, yaml.ScalarNode):
        return Tagged("!" + suffix, loader.construct_scalar(node))
    if isinstance(node, yaml.SequenceNode):
        return Tagged("!" + suffix, loader.construct_sequence(node, deep=True))
    return Tagged("!" + suffix, loader.construct_mapping(node, deep=True))


def write(dumper, tagged):
    if isinstance(tagged.value, str):
        return dumper.represent_scalar(tagged.tag, tagged.value)
    if isinstance(tagged.value, list):
        return dumper.represent_sequence(tagged.tag, tagged.value)
    return dumper.represent_mapping(tagged.tag, tagged.value)


Short.add_multi_constructor("!", keep)
yaml.SafeDumper.add_representer(Tagged, write)


def read(text):
    """A template, its short forms as [`Tagged`] values."""
    return yaml.load(text, Loader=Short)
