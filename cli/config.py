"""`nn config`: print a complete configuration, or the JSON Schema of configurations."""

import click

from .completion import complete_config, set_option


@click.command(short_help="Print a complete configuration, or the JSON Schema.")
@click.argument("config", default="mnist", required=False, shell_complete=complete_config)
@set_option
@click.option("--schema", is_flag=True, help="Print the JSON Schema of configurations instead.")
def config(config: str, overrides: tuple[str, ...], schema: bool) -> None:
    """Print a complete configuration, without training.

    CONFIG is a recipe's name or a YAML file. Default: mnist. Keys that CONFIG leaves out have their default values.

    \b
    nn config nielsen > my.yaml                write a file to start from
    nn config mnist --set training.epochs=5    see the effect of an override
    """
    if schema:
        import json

        from mnist_nn import Config

        click.echo(json.dumps(Config.model_json_schema(), indent=2))
        return
    from mnist_nn import read_config
    from mnist_nn.configuration.writer import to_yaml

    click.echo(to_yaml(read_config(config, overrides)), nl=False)
