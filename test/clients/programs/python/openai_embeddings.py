"""Embeddings with the library of OpenAI for Python."""

import math
import os

import openai
from openai import OpenAI

client = OpenAI(base_url=os.environ["OPENAI_BASE_URL"], api_key=os.environ["OPENAI_API_KEY"])

# snippet: embeddings
result = client.embeddings.create(model="bge-m3", input=["first text", "second text"])
print([len(item.embedding) for item in result.data])
# end
assert len(result.data) == 2
# The library asks for base64 and decodes it. An embedding is a unit vector.
for item in result.data:
    assert abs(math.hypot(*item.embedding) - 1) < 0.01
plain = client.embeddings.create(model="bge-m3", input="first text", encoding_format="float")
assert abs(plain.data[0].embedding[0] - result.data[0].embedding[0]) < 0.001
try:
    client.embeddings.create(model="nothing", input="x")
    raise AssertionError("a model that is not there was found")
except openai.NotFoundError:
    pass
