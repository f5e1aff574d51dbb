"""The people who may use the console: an own pool, whose tokens carry the scope of administration."""

from typing import Final

from aws_cdk import Aws, Duration, Fn, RemovalPolicy
from aws_cdk import aws_cognito as cognito
from constructs import Construct

from infrastructure.fields import Environment

SCOPE: Final = "attune/admin"
_SERVER, _, _RIGHT = SCOPE.partition("/")
_WORKING_DAY: Final = Duration.hours(12)


class Operators(Construct):
    """A user pool into which only administrators of the account let people, each with a second factor."""

    def __init__(
        self, scope: Construct, construct_id: str, *, environment: Environment, removal_policy: RemovalPolicy
    ) -> None:
        super().__init__(scope, construct_id)
        self.pool = cognito.UserPool(
            self,
            "Pool",
            self_sign_up_enabled=False,
            sign_in_aliases=cognito.SignInAliases(email=True),
            sign_in_case_sensitive=False,
            mfa=cognito.Mfa.REQUIRED,
            mfa_second_factor=cognito.MfaSecondFactor(otp=True, sms=False),
            password_policy=cognito.PasswordPolicy(
                min_length=14,
                require_digits=True,
                require_lowercase=True,
                require_symbols=True,
                require_uppercase=True,
                temp_password_validity=Duration.days(3),
            ),
            account_recovery=cognito.AccountRecovery.EMAIL_ONLY,
            # $0.02 a month and operator, for sign-ins with leaked passwords or from odd places to be refused.
            feature_plan=cognito.FeaturePlan.PLUS,
            standard_threat_protection_mode=cognito.StandardThreatProtectionMode.FULL_FUNCTION,
            deletion_protection=environment.retain_data,
            removal_policy=removal_policy,
        )
        self._right = cognito.ResourceServerScope(
            scope_name=_RIGHT, scope_description="See recommendations, experiments, models and alarms"
        )
        self._server = self.pool.add_resource_server("Server", identifier=_SERVER, scopes=[self._right])
        self._domain = self.pool.add_domain(
            "Domain",
            # A prefix is taken once in a region, by whoever comes first: the stack's own id can't be taken.
            cognito_domain=cognito.CognitoDomainOptions(
                domain_prefix=f"attune-{environment.name}-{Fn.select(2, Fn.split('/', Aws.STACK_ID))}"
            ),
        )

    @property
    def sign_in_url(self) -> str:
        """Root of the sign-in pages, without a slash at the end."""
        return self._domain.base_url()

    def client(self, scope: Construct, construct_id: str, *, page_url: str) -> cognito.UserPoolClient:
        """Define the page at `page_url` as a client: it has no secret, hence proof keys (PKCE)."""
        return cognito.UserPoolClient(
            scope,
            construct_id,
            user_pool=self.pool,
            generate_secret=False,
            o_auth=cognito.OAuthSettings(
                flows=cognito.OAuthFlows(authorization_code_grant=True),
                scopes=[
                    cognito.OAuthScope.OPENID,
                    cognito.OAuthScope.resource_server(self._server, self._right),
                ],
                callback_urls=[page_url],
                logout_urls=[page_url],
            ),
            supported_identity_providers=[cognito.UserPoolClientIdentityProvider.COGNITO],
            prevent_user_existence_errors=True,
            enable_token_revocation=True,
            access_token_validity=Duration.hours(1),
            id_token_validity=Duration.hours(1),
            refresh_token_validity=_WORKING_DAY,
        )
