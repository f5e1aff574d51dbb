"""No route of a real account is open but those that are meant to be: a check of every synthesis."""

from typing import Final

import jsii
from aws_cdk import Token
from aws_cdk.aws_apigatewayv2 import CfnRoute
from constructs import IConstruct, IValidation

from infrastructure.fields import Access, Environment

PUBLIC: Final = frozenset({"GET /v1/console", "GET /v1/console/{asset}"})
"""The page of the console, which is empty by itself."""
_GUARDS: Final = frozenset({"AWS_IAM", "CUSTOM", "JWT"})


@jsii.implements(IValidation)
class ClosedRoutes:
    """Walks all that is defined below a scope, however it was defined, and names the open routes."""

    def __init__(self, scope: IConstruct, environment: Environment) -> None:
        self._scope = scope
        self._environment = environment

    def validate(self) -> list[str]:
        """Return what is wrong, which fails the synthesis."""
        if self._environment.access is Access.OPEN:
            return []
        routes = [found for found in self._scope.node.find_all() if isinstance(found, CfnRoute)]
        return [
            f"{route.node.path}: {route.route_key} is open to everybody; guard it, or name it in PUBLIC"
            for route in routes
            if route.route_key not in PUBLIC and not _is_guarded(route)
        ]


def _is_guarded(route: CfnRoute) -> bool:
    kind = route.authorization_type
    if kind is None or Token.is_unresolved(kind) or kind not in _GUARDS:
        return False
    return kind == "AWS_IAM" or route.authorizer_id is not None
