"""Embeddings with LangChain."""

# snippet: embeddings
import os

from langchain_openai import OpenAIEmbeddings

embeddings = OpenAIEmbeddings(
    model="bge-m3",
    base_url=os.environ["OPENAI_BASE_URL"],
    api_key=os.environ["OPENAI_API_KEY"],
    check_embedding_ctx_length=False,  # else it sends tokens of OpenAI's own tokenizer, not texts
)
print(len(embeddings.embed_query("first text")))
# end
vectors = embeddings.embed_documents(["first text", "second text"])
assert len(vectors) == 2
assert abs(sum(value * value for value in vectors[0]) - 1) < 0.02
