# Open a vector database.
# From notebooks/10_semantic_search.ipynb, section “Put them into a vector database”.
# Needs: pip install qdrant-client
# Running it prints nothing: it defines connect, for you to call.

import atexit
import os
import tempfile
import warnings

from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import ResponseHandlingException

# A folder has no indexes of fields, and says so each time; a server has, and may insist on them.
warnings.filterwarnings("ignore", message="Payload indexes have no effect")


def connect(folder: str, url: str | None = None) -> QdrantClient:
    """A Qdrant database: the server at an address, or else a folder on this machine."""
    try:
        key = os.environ.get("QDRANT_API_KEY")
        server = {"url": url, "api_key": key, "timeout": 60, "check_compatibility": False}
        client = QdrantClient(**server) if url else QdrantClient(path=folder)
        client.get_collections()  # a client is not connected before its first call
    except ResponseHandlingException:
        raise ConnectionError(f"no Qdrant server answers at {url}") from None
    except RuntimeError as error:  # the folder is locked
        raise ConnectionError("another program uses this folder; two need a server") from error
    return client


# In a project, name a folder that stays.
database = connect(tempfile.mkdtemp(), os.environ.get("QDRANT_URL"))
# Left open, it complains when Python ends.
_ = atexit.register(database.close)
