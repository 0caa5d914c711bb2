# Open a vector database.
# From notebooks/10_semantic_search.ipynb, section “Put them into a vector database”.
# Needs: pip install qdrant-client

import atexit
import os
import tempfile
import warnings

from qdrant_client import QdrantClient

# A folder has no indexes of fields, and says so each time; a server has, and may insist on them.
warnings.filterwarnings("ignore", message="Payload indexes have no effect")
if url := os.environ.get("QDRANT_URL"):
    key = os.environ.get("QDRANT_API_KEY")
    database = QdrantClient(url=url, api_key=key, timeout=60, check_compatibility=False)
else:
    database = QdrantClient(path=tempfile.mkdtemp())  # in a project: a folder that stays
# Left open, it complains when Python ends.
atexit.register(database.close)
print(database.get_collections())
