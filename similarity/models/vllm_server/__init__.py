"""The backend for vLLM servers: any number of replicas of one model, over HTTP."""
