"""The house rules that a machine can check: who imports whom, who switches schema, what a task is."""

import ast
import re
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings

BASE = Path(settings.BASE_DIR)
# Left may import right.
LAYERS = ["config", "crm", "members", "tenants", "core"]
OPEN_MODULES = {"models", "services", "signals", "errors", "permissions"}
ALSO_OPEN = {
    "core": {"*"},
    # platform: which organization a host names, and links out of one; every floor needs them.
    "tenants": {"context", "jobs", "live", "platform"},
    # sockets: the base of every consumer. http: the type of a request that was let in.
    "members": {"sockets", "http"},
}
EXCEPTIONS = {("members/views.py", "tenants.forms")}
# The composition root sees everything.
FREE = {"config"}


def sources(*apps_: str) -> list[Path]:
    return [
        file
        for app in apps_
        for file in sorted((BASE / app).rglob("*.py"))
        if not {"tests", "migrations"} & set(file.relative_to(BASE).parts)
    ]


def imports(file: Path) -> list[tuple[str, ast.AST, bool]]:
    """Return (module, node, is inside a function) for each import of a file."""
    tree = ast.parse(file.read_text())
    inside = {
        id(node)
        for top in ast.walk(tree)
        if isinstance(top, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(top)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found += [(f"{node.module}.{alias.name}", node, id(node) in inside) for alias in node.names]
        elif isinstance(node, ast.Import):
            found += [(alias.name, node, id(node) in inside) for alias in node.names]
    return found


def ours(module: str) -> str | None:
    top = module.partition(".")[0]
    return top if top in LAYERS else None


@pytest.mark.parametrize("app", LAYERS)
def test_imports_go_down_only(app):
    wrong = [
        f"{file.relative_to(BASE)} imports {module}"
        for file in sources(app)
        for module, _node, _inside in imports(file)
        if (other := ours(module)) and LAYERS.index(other) < LAYERS.index(app)
    ]
    assert not wrong


def test_of_another_app_only_its_open_modules_are_imported():
    wrong = []
    for app in LAYERS:
        for file in sources(app):
            for module, _node, _inside in imports(file):
                other = ours(module)
                if other is None or other == app or app in FREE:
                    continue
                part = module.split(".")[1] if "." in module else ""
                allowed = OPEN_MODULES | ALSO_OPEN.get(other, set())
                name = str(file.relative_to(BASE))
                if (
                    part not in allowed
                    and "*" not in allowed
                    and (name, ".".join(module.split(".")[:2])) not in EXCEPTIONS
                ):
                    wrong.append(f"{name} imports {module}")
    assert not wrong


def test_services_know_nothing_of_the_web():
    web = re.compile(r"\.(views|forms|urls|consumers|api|middleware)(\.|$)")
    wrong = [
        f"{file.relative_to(BASE)} imports {module}"
        for file in sources(*LAYERS)
        if "services" in file.parts or file.name == "services.py"
        for module, _node, _inside in imports(file)
        if ours(module) and web.search(module)
    ]
    assert not wrong


def test_our_own_modules_are_imported_at_the_top():
    wrong = [
        f"{file.relative_to(BASE)}:{node.lineno} imports {module} in a function"
        for file in sources(*LAYERS)
        if file.name != "apps.py"
        for module, node, inside in imports(file)
        if inside and ours(module)
    ]
    assert not wrong


def test_core_has_no_tables_and_stays_small():
    modules = [path for path in (BASE / "core").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()]
    assert len([path for path in modules if path.name not in {"__init__.py", "tests", "migrations"}]) < 15
    assert not list(apps.get_app_config("core").get_models())


def test_only_tenants_switches_schema():
    switch = re.compile(
        r"\b(set_tenant|set_schema|set_schema_to_public|tenant_context|schema_context|search_path|activate_tenant)\b"
        r"|with\s+(self\.)?organization\s*:"
    )
    wrong = [
        f"{file.relative_to(BASE)}:{number}: {line.strip()}"
        for file in sources("config", "crm", "members", "core")
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if switch.search(line)
    ]
    assert not wrong


def test_work_is_enqueued_by_defer_only():
    enqueue = re.compile(r"\.(delay|apply_async|send_task)\(")
    wrong = [
        f"{file.relative_to(BASE)}:{number}"
        for file in sources(*LAYERS)
        if file != BASE / "tenants/jobs.py"
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if enqueue.search(line)
    ]
    assert not wrong


def test_no_bare_threads_and_no_async_orm():
    banned = re.compile(
        r"threading\.Thread|ThreadPoolExecutor|\.(aget|acount|aexists|afirst|acreate|asave)\(|async for .*objects"
    )
    wrong = [
        f"{file.relative_to(BASE)}:{number}"
        for file in sources("config", "crm", "members", "tenants")
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if banned.search(line)
    ]
    assert not wrong


def test_only_core_redis_talks_to_valkey():
    allowed = {"core/redis.py"}
    wrong = [
        str(file.relative_to(BASE))
        for file in sources(*LAYERS)
        if str(file.relative_to(BASE)) not in allowed and "supervisor" not in file.parts
        for module, _node, _inside in imports(file)
        if module.split(".")[0] == "redis"
    ]
    assert not wrong


def test_no_post_save_for_domain_news():
    wrong = [
        str(file) for file in sources(*LAYERS) if re.search(r"\b(post_save|pre_save|m2m_changed)\b", file.read_text())
    ]
    assert not wrong


def test_every_task_says_where_it_runs():
    from config.celery import app
    from tenants.jobs import OrganizationTask

    app.loader.import_default_modules()
    own = [task for name, task in app.tasks.items() if ours(name)]
    assert len(own) >= 3
    for task in own:
        assert isinstance(task, OrganizationTask), task.name
        assert task.runs_in_public == task.name.startswith("tenants."), task.name


def test_templates_obey_the_content_security_policy():
    inline = re.compile(r"<[^>]+\s(style|on[a-z]+)\s*=\s*[\"']")
    wrong = []
    for file in sorted((BASE / "templates").rglob("*.html")):
        text = file.read_text()
        wrong += [
            f"{file.relative_to(BASE)}: {m.group(0)[:60]}" for m in inline.finditer(text) if "emails" not in file.parts
        ]
        wrong += [
            f"{file.relative_to(BASE)}: script without nonce"
            for m in re.finditer(r"<script(?![^>]*(?:nonce=|src=))[^>]*>", text)
        ]
        wrong += [
            f"{file.relative_to(BASE)}: morph:inner/outer out of band"
            for m in re.finditer(r"hx-swap-oob=.morph:(inner|outer)", text)
        ]
    assert not wrong


def test_views_that_write_say_their_method_first():
    """A view function of ours is decorated with require_safe, require_POST or require_http_methods."""
    wrong = []
    for file in sources("config", "crm", "members", "tenants"):
        if "views" not in file.parts and file.name != "views.py":
            continue
        for node in ast.parse(file.read_text()).body:
            if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
                continue
            if not node.args.args or node.args.args[0].arg != "request" or node.name == "csrf_failure":
                continue
            names = {ast.unparse(decorator).split("(")[0] for decorator in node.decorator_list}
            if not names & {"require_safe", "require_POST", "require_http_methods", "require_GET"}:
                wrong.append(f"{file.relative_to(BASE)}: {node.name}")
    assert not wrong
