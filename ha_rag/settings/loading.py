"""Combines the file and the environment into Settings; reports all problems at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from ha_rag.circuit.terms import Terms
from ha_rag.errors import ConfigurationError
from ha_rag.settings.circuits import CircuitSettings, circuit_problems, resolved_circuits
from ha_rag.settings.components import ComponentList, Components, by_circuit, read_components
from ha_rag.settings.configuration_file import ConfigurationFile
from ha_rag.settings.environment import Environment, read_environment
from ha_rag.settings.experiment import experiment_problems
from ha_rag.settings.file import file_path, read_file
from ha_rag.settings.problems import sentences
from ha_rag.settings.secret import Secret
from ha_rag.settings.services import api_key_problems, api_keys, missing_keys
from ha_rag.settings.settings import Settings
from ha_rag.settings.showing import shown, variable_shown
from ha_rag.settings.urls import is_text, with_password
from ha_rag.settings.warned import Warned

MOST_PROBLEMS = 50


def settings_from_file(
    path: Path | str | None, variables: Mapping[str, str] | None, lists: Sequence[ComponentList]
) -> Settings:
    """The settings of `path` (default: `HA_RAG_CONFIG`, then `./ha_rag.toml`, then the built-in defaults).

    `variables`: the environment (default: this process's), which takes precedence over the file. `lists`: the
    components that the file may list. Raises ConfigurationError with a sentence per problem: key path, value, rule.
    """
    environment = read_environment(variables)
    source = file_path(path, environment)
    return settings_from(read_file(source) if source else {}, environment, lists, source)


def settings_from(
    content: Mapping[str, Any],
    environment: Environment,
    lists: Sequence[ComponentList],
    source: Path | None = None,
) -> Settings:
    """The settings that result from a file's parsed `content` and the environment. Raises as `settings_from_file`."""
    file, problems = _read_tables(content, lists)
    components, found = read_components(content, lists)
    keys = [listed.key for listed in lists]
    problems += [*found, *environment.problems, *circuit_problems(content, keys), *_repeated_names(content, keys)]
    if file is not None:
        problems += [*_password_problems(file, environment), *_alert_url_problems(file, environment)]
        by_quality = file.strategy.choose == "quality"
        problems += experiment_problems(file.experiment, components, by_quality=by_quality)
    problems += api_key_problems(components, environment)
    if file is None or problems:
        raise _refusal(problems)
    return _settings(file, components, environment, source)


def _read_tables(
    content: Mapping[str, Any], lists: Sequence[ComponentList]
) -> tuple[ConfigurationFile | None, list[str]]:
    """The tables that are not components, and what is wrong with them."""
    keys = {listed.key for listed in lists}
    tables = {key: value for key, value in content.items() if key not in keys}
    try:
        return ConfigurationFile.model_validate(tables), []
    except ValidationError as error:
        known = {**ConfigurationFile.model_fields, **dict.fromkeys(keys, FieldInfo())}
        return None, sentences(error, tables, known)


def _refusal(problems: list[str]) -> ConfigurationError:
    left = len(problems) - MOST_PROBLEMS
    rest = [f"the configuration: has {left:,} more problems; are these the right file and variables?"]
    return ConfigurationError(*problems[:MOST_PROBLEMS], *(rest if left > 0 else []))


def _repeated_names(content: Mapping[str, Any], keys: Sequence[str]) -> Iterator[str]:
    for key in keys:
        tables = content.get(key)
        names = [table.get("name") for table in tables if isinstance(table, dict)] if isinstance(tables, list) else []
        for name, times in Counter(name for name in names if isinstance(name, str)).items():
            if times > 1:
                yield f"{key}.name = {shown(name, ())}: must be unique among the {key}, but is used {times} times"


def _password_problems(file: ConfigurationFile, environment: Environment) -> Iterator[str]:
    variable = file.fleet.redis_password_env
    if not variable or not file.fleet.redis_url or environment.redis_url:
        return
    password = environment.secret(variable)
    if not password:
        yield f"fleet.redis_password_env = {variable_shown(variable)}: must name a variable that is set"
    elif not is_text(password.reveal()):
        yield f"{variable}: must be UTF-8 text (its value is not shown here)"


def _alert_url_problems(file: ConfigurationFile, environment: Environment) -> Iterator[str]:
    urls = environment.secret(file.alerts.urls_env)
    if urls and not is_text(urls.reveal()):
        yield f"{file.alerts.urls_env}: must be UTF-8 text (its value is not shown here)"


def _settings(
    file: ConfigurationFile, components: Components, environment: Environment, source: Path | None
) -> Settings:
    circuits = resolved_circuits(components, file.circuit)
    redis_url = _redis_url(file, environment)
    warnings = (
        *missing_keys(components, environment),
        *_longer_rests(components, circuits),
        *_cache_without_redis(file, redis_url),
    )
    return Settings(
        server=file.server,
        index=file.index,
        namespace=file.fleet.namespace,
        redis_url=redis_url,
        components=components,
        circuits=circuits,
        replica=environment.replica,
        strategy=file.strategy,
        cache=file.cache,
        experiment=file.experiment,
        alerts=file.alerts,
        alert_urls=_alert_urls(file, environment),
        admin_token=environment.admin_token,
        api_keys=environment.api_keys,
        api_keys_of=api_keys(components, environment),
        log=environment.log,
        allocator_tuned=environment.allocator_tuned,
        source=source,
        warnings=warnings,
    )


def _longer_rests(components: Components, circuits: Mapping[str, CircuitSettings]) -> Iterator[Warned]:
    """Circuits that stay open longer than configured, because they must stay open for as long as a probe may last."""
    for name, component in by_circuit(components):
        policy = circuits[name].policy
        open_s = Terms.of(policy, component.timeout_s).open_ms / 1000
        if open_s > policy.recovery_timeout_s:
            text = (
                f"{name}: recovery_timeout_s = {policy.recovery_timeout_s:g} is shorter than a probe may last "
                f"(timeout_s + 1 s), so the circuit stays open for {open_s:g} s"
            )
            mend = f"nothing breaks; to say the same, set recovery_timeout_s = {open_s:g}, or shorten its timeout_s"
            yield Warned(text, part="configuration", mend=mend)


def _cache_without_redis(file: ConfigurationFile, redis_url: Secret | None) -> Iterator[Warned]:
    """The caches are in the fleet's Redis, so without one there are none."""
    if redis_url is None and file.cache is not None and (file.cache.embeddings or file.cache.answers):
        yield Warned(
            "[cache] has no effect: no Redis is configured to keep embeddings and answers in",
            part="cache",
            mend="set HA_RAG_REDIS_URL or fleet.redis_url, or remove [cache]",
        )


def _alert_urls(file: ConfigurationFile, environment: Environment) -> tuple[Secret, ...]:
    urls = environment.secret(file.alerts.urls_env)
    return tuple(Secret(url) for url in urls.reveal().split()) if urls else ()


def _redis_url(file: ConfigurationFile, environment: Environment) -> Secret | None:
    if environment.redis_url:
        return environment.redis_url
    if not file.fleet.redis_url:
        return None
    password = environment.secret(file.fleet.redis_password_env) if file.fleet.redis_password_env else None
    url = file.fleet.redis_url
    return Secret(with_password(url, password.reveal()) if password else url)
