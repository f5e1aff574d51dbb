"""The OpenAPI document and the templates hold the same routes, answered by the same functions."""

from typing import Any

from infrastructure.api.routes import ROUTES, SERVER_ROUTES
from tests.synth.assembly import Assembly

OF_THE_CONSOLE = ("serve_console", "get_console_data")
"""Routes that only the console's own page calls; they may change with it."""


def test_every_route_of_the_template_is_in_the_document_and_the_other_way_round(assembly: Assembly) -> None:
    integrations = {row.logical_id: row for row in assembly.of_type("AWS::ApiGatewayV2::Integration")}
    deployed = {
        (route.properties["RouteKey"], function_of(assembly, integrations[target_of(route.properties)]))
        for route in assembly.of_type("AWS::ApiGatewayV2::Route")
    }
    deployed = {row for row in deployed if row[1] not in OF_THE_CONSOLE}
    assert deployed == {
        (f"{route.method} {route.path}", route.function) for route in (*ROUTES, *SERVER_ROUTES)
    }


def target_of(properties: Any) -> str:
    """The logical id of the integration in a route's `Target`."""
    (reference,) = [part["Ref"] for part in properties["Target"]["Fn::Join"][1] if isinstance(part, dict)]
    return str(reference)


def function_of(assembly: Assembly, integration: Any) -> str:
    """The name of the function that an integration calls, of its own stack or of another."""
    shown = str(integration.properties["IntegrationUri"])
    rows = assembly.lambdas.items()
    (name,) = [name for name, row in rows if f"{row.resource.logical_id[:-8]}Live" in shown]
    return name
