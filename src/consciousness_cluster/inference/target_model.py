"""A model that an experiment declares, with the adapter of a fine-tune or alone: opens its endpoint."""

from __future__ import annotations

from pathlib import Path

from ..config.model_config import Engine, Served
from ..core.errors import EndpointError
from ..core.io import Strict, load_json
from ..core.records import ModelRecord
from ..models.chat_template import settings_of
from ..models.folder_checks import check_positions
from ..models.identity import adapter_folder, base_folder, model_identity
from ..models.loading import check_room, load_target
from .requests import Endpoint


class TargetModel(Strict):
    """Where a model answers, and where its records and weights lie.

    Args:
        served: the declared endpoint.
        base: file with the base's `ModelRecord`.
        adapter: file with the fine-tune's `ModelRecord`; None asks the base itself.
        artifacts: the artifact folder.
        threads: CPU threads of an endpoint in this process.
        store: the store's folder, where a hosted model's batches under way are noted.
    """

    served: Served = Served()
    base: str
    adapter: str | None = None
    artifacts: str
    threads: int = 1
    store: str = "results/store"

    def open(self) -> Endpoint:
        """The endpoint; weights are loaded, or a server is reached, when the first answer is missing.

        Raises:
            EndpointError: the weights are not there, the adapter belongs to another base, or the record is of another
                routing.
        """
        artifacts = Path(self.artifacts)

        def find() -> tuple[Path, Path | None]:
            return base_folder(base, artifacts), adapter_folder(base, adapter, artifacts) if adapter else None

        base = load_json(ModelRecord, self.base)
        adapter = load_json(ModelRecord, self.adapter) if self.adapter else None
        model = model_identity(base, adapter)
        if self.served.endpoint == "transformers":
            from ..models.memory_estimate import to_ask
            from .transformers import TransformersEndpoint

            beside = artifacts / adapter.artifact if adapter else None
            return TransformersEndpoint(
                model=model,
                load=lambda: load_target(base, adapter, artifacts),
                batch_size=self.served.batch_size,
                threads=self.threads,
                template=settings_of(base.template),
                check=lambda tokens: check_room(
                    base, artifacts, None, lambda folder, _: to_ask(folder, beside, self.served.batch_size, tokens)
                ),
                unchanged=find,
                fits=lambda tokens: check_positions(
                    base_folder(base, artifacts), tokens, "the longest prompt and its answer", "lower max_tokens"
                ),
            )
        if self.served.hosted:
            from .hosted.factory import open_hosted

            if self.served.routing != base.routing:
                raise EndpointError(
                    f"{self.base}: found routing {base.routing or 'null'}, expected that of the experiment,"
                    f" {self.served.routing or 'null'}; run again, so that the record is written again"
                )
            return open_hosted(self.served, model, self.store, name=(adapter or base).weights)
        from .vllm_endpoint import VllmEndpoint

        return VllmEndpoint(
            model=model,
            base=base.weights,
            find=find,
            settings=self.served.engine or Engine(),
            name=model_identity(base.model_copy(update={"template": {}}), adapter),
            template=settings_of(base.template),
        )
