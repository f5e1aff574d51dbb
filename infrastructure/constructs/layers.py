"""The Lambda layers: first-party code as it lies in the repository, third-party wheels built by uv."""

import os
import shutil
from functools import cached_property
from typing import Any, Final

import jsii
from aws_cdk import AssetHashType, BundlingOptions, DockerImage, ILocalBundling
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infrastructure.constructs.layer_build import (
    BASE,
    CRYPTOGRAPHY,
    RANKING,
    ROOT,
    LayerSource,
    built_layer,
    layer_platform,
)
from infrastructure.fields import Architecture, Environment

RUNTIME: Final = lambda_.Runtime.PYTHON_3_13


@jsii.implements(ILocalBundling)
class UvBundling:
    """Puts a built layer where CDK wants it, instead of running a container."""

    def __init__(self, source: LayerSource, platform: str | None) -> None:
        self._source = source
        self._platform = platform

    def try_bundle(self, output_dir: str, *_: Any, **__: Any) -> bool:
        """Fill `output_dir` with the layer; always succeeds or raises, so Docker is never asked."""
        layer = built_layer(self._source, self._platform)
        shutil.copytree(layer, output_dir, copy_function=_link, dirs_exist_ok=True)
        return True


class Layers(Construct):
    """The layers of one stack, each made when first asked for.

    A stack has layer versions of its own, made from the same assets: an ARN shared across stacks
    could never change, since CloudFormation keeps an export as long as somebody imports it.
    """

    def __init__(self, scope: Construct, construct_id: str, *, environment: Environment) -> None:
        super().__init__(scope, construct_id)
        self._environment = environment
        self._architecture = (
            lambda_.Architecture.ARM_64
            if environment.architecture is Architecture.ARM64
            else lambda_.Architecture.X86_64
        )

    @cached_property
    def personalization(self) -> lambda_.ILayerVersion:
        """First-party code: the folder is the layer."""
        code = lambda_.Code.from_asset(
            str(ROOT / "layers" / "personalization"), exclude=["*", "!python", "!python/**", "**/__pycache__"]
        )
        return self._version("Personalization", code, "Attune's own packages")

    @cached_property
    def base(self) -> lambda_.ILayerVersion:
        """What every Lambda needs: Powertools, msgspec; and PyJWT, for those that read tokens."""
        return self._third_party(BASE)

    @cached_property
    def cryptography(self) -> lambda_.ILayerVersion:
        """What verifying an identity provider's signatures needs."""
        return self._third_party(CRYPTOGRAPHY)

    @cached_property
    def ranking(self) -> lambda_.ILayerVersion:
        """What computing lists needs: numpy, scipy, LightGBM."""
        return self._third_party(RANKING)

    def _third_party(self, source: LayerSource) -> lambda_.ILayerVersion:
        platform = layer_platform(self._environment)
        code = lambda_.Code.from_asset(
            str(source.folder),
            asset_hash=source.digest(platform),
            asset_hash_type=AssetHashType.CUSTOM,
            bundling=BundlingOptions(
                # Required by CDK and never pulled: the local bundling succeeds or raises.
                image=DockerImage.from_registry("unused"),
                local=UvBundling(source, platform),
            ),
        )
        return self._version(source.name.title(), code, f"Third-party packages: {source.name}")

    def _version(self, construct_id: str, code: lambda_.Code, description: str) -> lambda_.LayerVersion:
        return lambda_.LayerVersion(
            self,
            construct_id,
            code=code,
            description=description,
            compatible_runtimes=[RUNTIME],
            compatible_architectures=[self._architecture],
        )


def _link(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target
