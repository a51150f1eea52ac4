"""An S3 server on loopback that counts its requests."""

import contextlib
import urllib.request
from collections import Counter
from collections.abc import Iterator

import boto3
import werkzeug.serving
from moto.server import ThreadedMotoServer

BUCKET = "masks"


class Server:
    """Its environment for clients, and the method and path of each request."""

    def __init__(self, url: str, requests: list[tuple[str, str]]) -> None:
        self.environment = {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "a",
            "AWS_SECRET_ACCESS_KEY": "b",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        self.requests = requests
        self._client = boto3.client(
            "s3", endpoint_url=url, aws_access_key_id="a", aws_secret_access_key="b", region_name="us-east-1"
        )
        self._client.create_bucket(Bucket=BUCKET)

    def names(self) -> list[str]:
        """Return the names of the objects that are there."""
        return [found["Key"] for found in self._client.list_objects_v2(Bucket=BUCKET).get("Contents", [])]

    def count(self) -> Counter:
        """Return the number of requests of each method."""
        return Counter(method for method, _ in self.requests)


@contextlib.contextmanager
def s3_server() -> Iterator[Server]:
    """Yield a server that has one empty bucket; moto keeps the objects of earlier servers of the process."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    handler, requests = werkzeug.serving.WSGIRequestHandler, []
    logged = handler.log_request
    handler.log_request = lambda self, *_: requests.append((self.command, self.path))
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    try:
        urllib.request.urlopen(f"{url}/moto-api/reset", data=b"").close()
        yield Server(url, requests)
    finally:
        handler.log_request = logged
        server.stop()
