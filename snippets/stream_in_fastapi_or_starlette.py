# Stream in FastAPI or Starlette.
# From notebooks/13_deploy.ipynb, section “Why a page needs a server”.
# Needs: pip install httpx starlette
# It reads your key from the environment variable MISTRAL_API_KEY.
# Serve it with: uvicorn stream_in_fastapi_or_starlette:small. In FastAPI: app = FastAPI(routes=small.routes). It checks and limits nothing; the lesson adds that.

import os

import httpx
from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import Route

api_headers = {"Authorization": f"Bearer {os.environ['MISTRAL_API_KEY']}"}
client = httpx.AsyncClient(headers=api_headers, timeout=60)


async def chat(request):
    """Pass a conversation on to the API, and its status and stream back."""
    body = {"model": "mistral-small-latest", "stream": True, **await request.json()}
    url = "https://api.mistral.ai/v1/chat/completions"
    response = await client.send(client.build_request("POST", url, json=body), stream=True)

    async def stream():
        try:
            async for part in response.aiter_bytes():
                yield part
        finally:
            await response.aclose()

    kind = response.headers["content-type"]
    return StreamingResponse(stream(), response.status_code, media_type=kind)


small = Starlette(routes=[Route("/chat", chat, methods=["POST"])])
