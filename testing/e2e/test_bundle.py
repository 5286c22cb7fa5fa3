"""The bundle, as scripts/build-lambda-package makes it: what it holds, that it runs with nothing
else, that it is reproducible.
"""

import json
import marshal
import os
import platform
import re
import shutil
import struct
import subprocess
import sys
import zipfile
from argparse import Namespace
from pathlib import Path
from types import CodeType
from typing import Any
from urllib.parse import parse_qs

import botocore.loaders
import botocore.session
import pytest
from botocore import xform_name
from botocore.model import ServiceModel

import lambda_package
from support.proxy import Answer, Proxy, Request

PROJECT = Path(__file__).resolve().parents[2]
TOOLS = Path(os.environ.get("TOOLS_DIR", PROJECT / ".tools"))
UV = str(TOOLS / "uv" / "bin" / "uv")
CODE = PROJECT / "lambda_code" / "ecs_updater"
CONFIG = lambda_package.read_config(lambda_package.FUNCTION)
SERVICES = set(CONFIG["services"])

HERE = f"python{sys.version_info.major}.{sys.version_info.minor}"
# Wheels' and ELF's names for them.
ARCHITECTURES = {"x86_64": ("x86_64", 0x3E), "arm64": ("aarch64", 0xB7)}
GLIBC = {"python3.11": 26, "python3.12": 34, "python3.13": 34, "python3.14": 34}
"""The minor version of glibc 2 in the operating system of each runtime: Amazon Linux 2 and 2023."""
MACHINE = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"
MOST_BYTES = 4_000_000
MOST_BYTES_OF_AUTHORIZER = 12_000_000

runs_here = pytest.mark.skipif(
    sys.platform != "linux", reason="the bundle's compiled wheels are for Linux"
)

ARN = "arn:aws:ecs:eu-west-1:123456789012:service/c/s"
KEY = {"pk": {"S": "a"}, "sk": {"S": "b"}}
CALLS = {
    "ecs": {
        "DescribeServices": {"cluster": "c", "services": ["s"], "include": ["TAGS"]},
        "DescribeTaskDefinition": {"taskDefinition": "t:1", "include": ["TAGS"]},
        "RegisterTaskDefinition": {
            "family": "t",
            "containerDefinitions": [{"name": "n", "image": "i"}],
        },
        "UpdateService": {
            "cluster": "c",
            "service": "s",
            "taskDefinition": "t:2",
            "forceNewDeployment": True,
        },
        "TagResource": {"resourceArn": ARN, "tags": [{"key": "k", "value": "v"}]},
        "UntagResource": {"resourceArn": ARN, "tagKeys": ["k"]},
        "ListClusters": {"maxResults": 100},
        "ListServices": {"cluster": "c", "maxResults": 100},
        "ListTasks": {
            "cluster": "c",
            "serviceName": "s",
            "desiredStatus": "STOPPED",
            "maxResults": 100,
        },
        "DescribeTasks": {"cluster": "c", "tasks": ["t"]},
        "ListServiceDeployments": {"cluster": "c", "service": "s", "maxResults": 20},
        "DescribeServiceDeployments": {"serviceDeploymentArns": [ARN]},
        "DescribeServiceRevisions": {"serviceRevisionArns": [ARN]},
        "StopServiceDeployment": {"serviceDeploymentArn": ARN, "stopType": "ROLLBACK"},
        "DescribeExpressGatewayService": {"serviceArn": ARN},
        "UpdateExpressGatewayService": {"serviceArn": ARN, "taskDefinitionArn": ARN},
        "ContinueServiceDeployment": {
            "serviceDeploymentArn": ARN,
            "hookId": "h",
            "action": "CONTINUE",
        },
        "RunTask": {"cluster": "c", "taskDefinition": "t:2", "startedBy": "s", "clientToken": "t"},
        "StopTask": {"cluster": "c", "task": "t", "reason": "r"},
    },
    "logs": {"GetLogEvents": {"logGroupName": "g", "logStreamName": "s", "limit": 10}},
    "application-autoscaling": {
        "DescribeScalableTargets": {
            "ServiceNamespace": "ecs",
            "ResourceIds": ["service/c/s"],
            "ScalableDimension": "ecs:service:DesiredCount",
        }
    },
    "codepipeline": {
        "PutJobSuccessResult": {"jobId": "job", "outputVariables": {"verdict": "SUCCEEDED"}},
        "PutJobFailureResult": {
            "jobId": "job",
            "failureDetails": {"type": "JobFailed", "message": "a cause"},
        },
    },
    "events": {"PutEvents": {"Entries": [{"Source": "s", "DetailType": "d", "Detail": "{}"}]}},
    "sns": {
        "PublishBatch": {
            "TopicArn": "arn:aws:sns:eu-west-1:123456789012:t",
            "PublishBatchRequestEntries": [{"Id": "0", "Message": "m"}],
        }
    },
    "ssm": {"GetParameter": {"Name": "/team/targets", "WithDecryption": True}},
    "sts": {
        "GetCallerIdentity": {},
        "AssumeRole": {"RoleArn": "arn:aws:iam::222222222222:role/r", "RoleSessionName": "f"},
    },
    "s3": {"GetObject": {"Bucket": "bucket", "Key": "key", "Range": "bytes=-9"}},
    "dynamodb": {
        "DescribeTable": {"TableName": "table"},
        "GetItem": {"TableName": "table", "Key": KEY},
        "BatchGetItem": {"RequestItems": {"table": {"Keys": [KEY], "ConsistentRead": True}}},
        "PutItem": {"TableName": "table", "Item": KEY},
        "Query": {"TableName": "table", "KeyConditionExpression": "pk = :pk"},
        "UpdateItem": {"TableName": "table", "Key": KEY},
        "TransactWriteItems": {
            "TransactItems": [{"Put": {"TableName": "table", "Item": KEY}}],
            "ClientRequestToken": "token",
        },
    },
    "resourcegroupstaggingapi": {
        "GetResources": {
            "TagFilters": [{"Key": "k"}],
            "ResourceTypeFilters": ["ecs:service"],
            "ResourcesPerPage": 100,
            "PaginationToken": "",
        },
    },
    "ecr": {
        "DescribeImages": {"repositoryName": "repository", "maxResults": 1000},
        "BatchGetImage": {"repositoryName": "repository", "imageIds": [{"imageTag": "t"}]},
        "DescribePullThroughCacheRules": {"registryId": "123456789012", "maxResults": 1000},
        "GetDownloadUrlForLayer": {
            "repositoryName": "repository",
            "layerDigest": f"sha256:{'0' * 64}",
        },
    },
    "sqs": {
        "GetQueueUrl": {"QueueName": "queue.fifo"},
        "SendMessageBatch": {
            "QueueUrl": "https://sqs.eu-west-1.amazonaws.com/123456789012/queue.fifo",
            "Entries": [
                {
                    "Id": "0",
                    "MessageBody": "{}",
                    "MessageGroupId": "g",
                    "MessageDeduplicationId": "d",
                }
            ],
        },
        "ChangeMessageVisibility": {
            "QueueUrl": "https://sqs.eu-west-1.amazonaws.com/123456789012/queue.fifo",
            "ReceiptHandle": "receipt",
            "VisibilityTimeout": 0,
        },
    },
}
"""Every call that the code makes, by service, with parameters to try it with."""


def build(
    package: Path, project: Path = PROJECT, umask: int = -1, **settings: str
) -> subprocess.CompletedProcess[str]:
    """Runs the script of ``project`` with the tools of this one."""
    environment = {
        "LAMBDA_RUNTIME": HERE,
        "LAMBDA_ARCH": MACHINE,
        "PYTHON": sys.executable,
        "LAMBDA_PACKAGE": str(package),
    }
    environment = {**os.environ, "TOOLS_DIR": str(TOOLS), **environment, **settings}
    script = project / "scripts" / "build-lambda-package"
    return subprocess.run(
        [script], check=False, capture_output=True, text=True, umask=umask, env=environment
    )


def built(package: Path, project: Path = PROJECT, umask: int = -1, **settings: str) -> Path:
    """The package, after a build that has to succeed."""
    result = build(package, project, umask, **settings)
    assert result.returncode == 0, result.stderr
    return package


def contents(package: Path) -> dict[str, bytes]:
    """What a package holds."""
    with zipfile.ZipFile(package) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def copy_project(directory: Path) -> Path:
    """What the build reads, at another place."""
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PROJECT / "lambda_code", directory / "lambda_code", ignore=ignore)
    shutil.copytree(PROJECT / "scripts", directory / "scripts", ignore=ignore)
    return directory


def run_in_bundle(directory: Path, program: str, *arguments: str, **environment: str) -> str:
    """What a Python program prints that can import the standard library and the unzipped bundle,
    and nothing else.
    """
    start = (
        "import json, sys\nsys.dont_write_bytecode = True\nsys.path.insert(0, "
        f"{str(directory)!r})\n"
    )
    settings = {
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    result = subprocess.run(
        [sys.executable, "-I", "-S", "-c", start + program, *arguments],
        check=False,
        capture_output=True,
        text=True,
        cwd=directory.parent,
        env={
            **settings,
            "AWS_EC2_METADATA_DISABLED": "true",
            "HOME": str(directory.parent),
            **environment,
        },
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def options(output: Path) -> Namespace:
    """Options of lambda_package for this interpreter and machine."""
    python_platform = f"{ARCHITECTURES[MACHINE][0]}-manylinux_2_17"
    return Namespace(
        bundle=lambda_package.FUNCTION,
        uv=UV,
        python_version=HERE.removeprefix("python"),
        python_platform=python_platform,
        output=output,
    )


class Api(Proxy):
    """Answers every request with `{}`, and records target and body of each."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[tuple[str, Any]] = []

    def before(self, request: Request) -> Answer:
        self.requests.append((request.headers["X-Amz-Target"], json.loads(request.body)))
        return Answer(200, [("Content-Type", "application/x-amz-json-1.1")], b"{}")


@pytest.fixture(name="package", scope="module")
def built_here(tmp_path_factory) -> Path:
    """The bundle for this interpreter and machine."""
    return built(tmp_path_factory.mktemp("package") / "package.zip")


@pytest.fixture(name="authorizer", scope="module")
def authorizer_built_here(package) -> Path:
    """The bundle of the API's authoriser, built beside that of the function."""
    path = package.with_name("authorizer.zip")
    built(package, API_AUTH="jwt", AUTHORIZER_PACKAGE=str(path))
    return path


@pytest.fixture(name="unzipped", scope="module")
def unzipped_here(package, tmp_path_factory) -> Path:
    """A directory with the bundle for this interpreter and machine in it."""
    directory = tmp_path_factory.mktemp("unzipped") / "task"
    with zipfile.ZipFile(package) as archive:
        archive.extractall(directory)
    return directory


@pytest.fixture(name="installed", scope="module")
def installed_here(tmp_path_factory) -> Path:
    """A directory with the dependencies as they are, before anything is left out."""
    directory = tmp_path_factory.mktemp("installed") / "task"
    lambda_package.install(options(directory.parent / "package.zip"), directory)
    return directory


# What the code uses

SOURCES = [path.read_text(encoding="utf-8") for path in sorted(CODE.rglob("*.py"))]
SHARED = {"ecs": [(CODE / "aws" / "express.py").read_text(encoding="utf-8")]}
"""Modules that get the client of another one, by service."""


def test_the_bundle_has_the_data_of_the_services_that_the_code_makes_clients_for_and_no_other():
    """The services are literals in the code: else the data that the bundle needs is unknown."""
    makers = re.compile(r'\.(?:create_client|client|resource)\(\s*"?([\w-]*)')
    assert {service for source in SOURCES for service in makers.findall(source)} == SERVICES


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_every_call_that_the_code_makes_is_tried_from_the_bundle(service):
    """Of the modules that make a client for it: another one's operation may have the same name."""
    maker = f'create_client\\(\\s*"{service}"'
    sources = [source for source in SOURCES if re.search(maker, source)]
    sources += SHARED.get(service, [])
    words = {word for source in sources for word in re.findall(r"\w+", source)}
    model = botocore.loaders.Loader().load_service_model(service, "service-2")
    named = {name for name in model["operations"] if {name, xform_name(name)} & words}
    assert named == CALLS[service].keys()
    if service not in ("s3", "sts"):  # The SDK calls other operations of theirs.
        assert named == set(CONFIG["operations"][service])


# What runs from only the bundle


@runs_here
@pytest.mark.parametrize("service", sorted(SERVICES - {"s3", "sns", "sts"}))  # They speak XML.
def test_every_call_works_with_nothing_but_the_bundle(unzipped, service):
    program = """
import botocore.session
client = botocore.session.get_session().create_client(sys.argv[1], endpoint_url=sys.argv[2])
methods = {operation: method for method, operation in client.meta.method_to_api_mapping.items()}
for operation, parameters in json.loads(sys.argv[3]).items():
    getattr(client, methods[operation])(**parameters)
"""
    with Api().serving() as api:
        run_in_bundle(unzipped, program, service, api.url, json.dumps(CALLS[service]))
    prefix = botocore.session.get_session().get_service_model(service).metadata["targetPrefix"]
    assert api.requests == [
        (f"{prefix}.{operation}", parameters) for operation, parameters in CALLS[service].items()
    ]


class Bucket(Proxy):
    """Answers every request with a range of one object, and records path and range of each."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[tuple[str, str, str]] = []

    def before(self, request: Request) -> Answer:
        self.requests.append((request.method, request.path, request.headers["Range"]))
        return Answer(206, [("Content-Range", "bytes 0-6/7")], b"content")


@runs_here
def test_an_artifact_is_read_with_nothing_but_the_bundle(unzipped):
    program = """
from ecs_updater.aws import s3
names = ("accessKeyId", "secretAccessKey", "sessionToken")
reader = s3.ObjectReader(s3.client_of(dict.fromkeys(names, "test")), "bucket", "a/key")
print(reader.read().decode())
"""
    with Bucket().serving() as bucket:
        content = run_in_bundle(unzipped, program, AWS_ENDPOINT_URL=bucket.url)
    assert content == "content\n"
    assert bucket.requests == [("GET", "/bucket/a/key", "bytes=-131072")]


class Sts(Proxy):
    """Answers every request with credentials, and records the fields of each."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[dict[str, list[str]]] = []

    def before(self, request: Request) -> Answer:
        self.requests.append(parse_qs(request.body.decode()))
        names = ("AccessKeyId", "SecretAccessKey", "SessionToken")
        fields = {**dict.fromkeys(names, "assumed"), "Expiration": "2100-01-01T00:00:00Z"}
        text = "".join(f"<{name}>{value}</{name}>" for name, value in fields.items())
        body = f"<R><AssumeRoleResult><Credentials>{text}</Credentials></AssumeRoleResult></R>"
        return Answer(200, [("Content-Type", "text/xml")], body.encode())


@runs_here
def test_a_role_of_a_target_is_assumed_with_nothing_but_the_bundle(unzipped):
    program = """
from ecs_updater.aws.targets import TargetAccess
from ecs_updater.model.targets import Target
target = Target("t", "222222222222", "eu-central-1", "arn:aws:iam::2:role/u", "", "an-id")
session = TargetAccess().session(target, target.update_role)
print(session.get_credentials().access_key, session.create_client("ecs").meta.region_name)
"""
    with Sts().serving() as sts:
        printed = run_in_bundle(unzipped, program, AWS_ENDPOINT_URL=sts.url)
    assert printed.split() == ["assumed", "eu-central-1"]
    fields = sts.requests[0]
    expected = {"RoleArn": "arn:aws:iam::2:role/u", "ExternalId": "an-id"}
    assert expected | {"RoleSessionName": "ecs-updater"} == {
        name: fields[name][0] for name in (*expected, "RoleSessionName")
    }


@runs_here
def test_a_model_has_the_operations_that_the_code_calls_and_the_whole_shapes_of_each(unzipped):
    whole, reduced = botocore.loaders.Loader(), botocore.loaders.Loader()
    reduced.search_paths[:] = [str(unzipped / "botocore" / "data")]
    for service, names in CONFIG["operations"].items():
        models = [loader.load_service_model(service, "service-2") for loader in (whole, reduced)]
        first, second = (ServiceModel(model) for model in models)
        own = {
            name for name, item in models[0]["operations"].items() if "endpointoperation" in item
        }
        assert set(second.operation_names) == {*names, *own}
        for name in second.operation_names:
            before, after = first.operation_model(name), second.operation_model(name)
            for part in ("input_shape", "output_shape"):
                assert members_of(getattr(before, part)) == members_of(getattr(after, part))
            codes = [{shape.error_code for shape in each.error_shapes} for each in (before, after)]
            assert codes[0] == codes[1]


def members_of(shape: Any, known: tuple[str, ...] = ()) -> Any:
    """The names and types of everything in a shape, except what it has of itself."""
    if shape is None or shape.name in known:
        return None
    known = (*known, shape.name)
    inner = getattr(shape, "members", {}) or {
        name: getattr(shape, name) for name in ("member", "key", "value") if hasattr(shape, name)
    }
    return shape.type_name, {name: members_of(part, known) for name, part in inner.items()}


@runs_here
def test_a_cold_start_imports_only_from_the_bundle_and_compiles_nothing(unzipped):
    program = """
import os
# Without these the function logs, at its start, what it goes without.
os.environ |= {"LEDGER_TABLE": "ledger", "ALLOWED_IMAGES": "*", "ALLOWED_SERVICES": "*"}
import ecs_updater.handlers.update
import ecs_updater.handlers.reconcile
import ecs_updater.handlers.api_update
import ecs_updater.handlers.api_status
import ecs_updater.handlers.codepipeline
import ecs_updater.handlers.push
import gc
assert gc.isenabled() and gc.get_freeze_count()
for module in list(sys.modules.values()):
    if getattr(module, "__file__", None):
        compiled = getattr(module, "__cached__", None) or module.__file__
        print(module.__file__, not compiled.endswith(".py") and os.path.exists(compiled))
"""
    imported = dict(line.rsplit(" ", 1) for line in run_in_bundle(unzipped, program).splitlines())
    standard_library = {
        path for path in imported if Path(path).is_relative_to(Path(os.__file__).parent)
    }
    bundled = {
        path: compiled for path, compiled in imported.items() if path not in standard_library
    }
    assert str(unzipped / "ecs_updater" / "handlers" / "update.py") in bundled
    assert [path for path in bundled if not Path(path).is_relative_to(unzipped)] == []
    assert [path for path, compiled in bundled.items() if compiled == "False"] == []


@runs_here
def test_the_authorisers_cold_start_imports_only_from_its_own_bundle_and_compiles_nothing(
    authorizer, tmp_path
):
    directory = tmp_path / "task"
    with zipfile.ZipFile(authorizer) as archive:
        archive.extractall(directory)
    program = """
import os
os.environ |= {"JWT_ISSUER": "https://issuer.example.com", "JWT_AUDIENCE": "updater"}
import ecs_updater_authorizer.handler as handler
for module in list(sys.modules.values()):
    path = getattr(module, "__file__", None) or ""
    if "/task/" in path and path.endswith(".py"):
        print(module.__name__.partition(".")[0], os.path.exists(module.__cached__))
    elif path and not path.startswith(os.path.dirname(os.__file__)) and "/task/" not in path:
        print(path, "is not in the bundle")
event = {"methodArn": "arn:aws:execute-api:r:1:api/v1/GET/list", "requestContext": {}}
print(handler.lambda_handler(event, None)["policyDocument"]["Statement"][0]["Effect"])
"""
    *imported, log, effect = run_in_bundle(directory, program).splitlines()
    assert {line.split()[0] for line in imported} > {"jwt", "ecs_updater", "cryptography"}
    assert [line for line in imported if not line.endswith(" True")] == []
    assert "the token was rejected" in log and effect == "Deny"


# What is in the bundle


def test_only_the_authorisers_bundle_of_at_most_12_mb_has_cryptography(package, authorizer):
    own = {"jwt", "cryptography", "ecs_updater_authorizer"}
    of_both = [
        {name.partition("/")[0] for name in contents(path)} for path in (package, authorizer)
    ]
    assert [packages & own for packages in of_both] == [set(), own]
    assert authorizer.stat().st_size <= MOST_BYTES_OF_AUTHORIZER
    code = {name for name in contents(authorizer) if name.startswith("ecs_updater/")}
    assert {name.split("/")[1] for name in code if name.endswith(".py")} == {
        *("__init__.py", "aws", "context.py", "errors.py", "log.py", "model"),
    }


def test_both_bundles_have_the_same_versions_of_what_they_share(package, authorizer):
    versions = [
        dict(
            name.partition(".dist-info/")[0].rsplit("-", 1)
            for name in contents(path)
            if ".dist-info/" in name
        )
        for path in (package, authorizer)
    ]
    shared = versions[0].keys() & versions[1].keys()
    assert {"botocore", "urllib3"} <= shared
    assert [name for name in shared if versions[0][name] != versions[1][name]] == []


def test_the_bundle_is_at_most_4_mb_with_botocore_in_it_and_without_boto3(package):
    packages = {name.partition("/")[0] for name in contents(package)}
    assert packages & {"boto3", "botocore", "s3transfer"} == {"botocore"}
    assert package.stat().st_size <= MOST_BYTES


def code_objects(code: CodeType) -> list[CodeType]:
    """A module's code and that of everything in it."""
    return [
        code,
        *(
            inner
            for item in code.co_consts
            if isinstance(item, CodeType)
            for inner in code_objects(item)
        ),
    ]


def test_byte_compiled_code_is_this_pythons_never_checked_and_lies_in_the_function(package):
    compiled = {
        name: content for name, content in contents(package).items() if name.endswith(".pyc")
    }
    assert "ecs_updater/handlers/__pycache__/update.cpython-" in "\n".join(compiled)
    for name, content in compiled.items():
        directory, _, module = name.rpartition("__pycache__/")
        stem, tag, _ = module.split(".")
        assert tag == sys.implementation.cache_tag, name
        assert struct.unpack_from("<I", content, 4) == (1,), f"{name} is checked against its source"
        module_code = marshal.loads(content[16:])
        files = {code.co_filename for code in code_objects(module_code)}
        assert files == {f"/var/task/{directory}{stem}.py"}
        assert not (name.startswith("ecs_updater/") and "Raises " in str(module_code.co_consts))


# Places and targets of a build


def test_another_directory_umask_time_zone_and_locale_give_the_same_bytes(package, tmp_path):
    project = copy_project(tmp_path / "another place")
    (tmp_path / "temporary").mkdir()
    surroundings = {
        "TZ": "Pacific/Kiritimati",
        "LANG": "tr_TR.UTF-8",
        "LC_ALL": "C",
        "PYTHONHASHSEED": "7",
    }
    surroundings["TMPDIR"] = str(tmp_path / "temporary")
    (project / "lambda_code" / "ecs_updater" / "__pycache__").mkdir()
    (
        project / "lambda_code" / "ecs_updater" / "__pycache__" / "leftover.cpython-38.pyc"
    ).write_bytes(b"")
    (project / "lambda_code" / "ecs_updater" / ".leftover.swp").write_bytes(b"")
    other = built(tmp_path / "other.zip", project, umask=0o077, **surroundings)
    assert other.read_bytes() == package.read_bytes()
    assert not any((tmp_path / "temporary").iterdir())
    assert [name for name, content in contents(other).items() if bytes(tmp_path) in content] == []


@pytest.mark.parametrize(
    ("runtime", "architecture"),
    [("python3.11", "arm64"), ("python3.13", "x86_64"), ("python3.14", "arm64")],
)
def test_compiled_wheels_are_for_the_functions_python_architecture_and_system(
    tmp_path, runtime, architecture
):
    authorizer = tmp_path / "authorizer.zip"
    target = {"LAMBDA_RUNTIME": runtime, "LAMBDA_ARCH": architecture}
    both = {"API_AUTH": "jwt", "AUTHORIZER_PACKAGE": str(authorizer)}
    package = built(tmp_path / "package.zip", **target, **both)
    libraries = {
        name: content
        for name, content in (contents(package) | contents(authorizer)).items()
        if re.search(r"\.(so|pyd|dylib)\b", name)
    }
    wheel, machine = ARCHITECTURES[architecture]
    version = runtime.removeprefix("python").replace(".", "")
    assert f"rpds/rpds.cpython-{version}-{wheel}-linux-gnu.so" in libraries
    assert "cryptography/hazmat/bindings/_rust.abi3.so" in libraries
    for name, content in libraries.items():
        assert content[:4] == b"\x7fELF", name
        assert struct.unpack_from("<H", content, 18) == (machine,), name
        assert (
            max(int(minor) for minor in re.findall(rb"GLIBC_2\.(\d+)", content)) <= GLIBC[runtime]
        ), name
    assert package.stat().st_size <= MOST_BYTES
    tags = {name.split(".")[-2] for name in contents(package) if name.endswith(".pyc")}
    assert tags <= {f"cpython-{version}"}


def test_a_bundle_that_is_up_to_date_is_kept_and_any_change_or_damage_makes_it_anew(tmp_path):
    project = copy_project(tmp_path)
    package = built(tmp_path / "package.zip", project)
    first = package.read_bytes()

    os.utime(package, (0, 0))
    assert "up to date" in build(package, project).stderr
    assert package.stat().st_mtime == 0

    package.write_bytes(
        first.replace(b"\x7fELF", b"\x7fFLE").replace(first[1000:1010], b"0123456789")
    )
    assert built(package, project).read_bytes() == first

    (project / "lambda_code" / "ecs_updater" / "new.py").write_text(
        "NEW = True\n", encoding="utf-8"
    )
    assert "ecs_updater/new.py" in contents(built(package, project))


def test_a_dependency_whose_hash_is_not_the_locked_one_is_refused(tmp_path):
    project = copy_project(tmp_path)
    lock = project / "lambda_code" / "requirements.txt"
    lock.write_text(
        re.sub("sha256:[0-9a-f]{4}", "sha256:0000", lock.read_text(encoding="utf-8")),
        encoding="utf-8",
    )
    result = build(tmp_path / "package.zip", project)
    assert result.returncode == 1
    assert "the bundle's dependencies could not be installed" in result.stderr.splitlines()[-1]
    assert not (tmp_path / "package.zip").exists()
