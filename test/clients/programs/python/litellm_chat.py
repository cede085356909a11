"""LiteLLM as a client."""

import json

# snippet: client
import os

import litellm

answer = litellm.completion(
    model="openai/qwen",
    api_base=os.environ["OPENAI_BASE_URL"],
    api_key=os.environ["OPENAI_API_KEY"],
    messages=[{"role": "user", "content": "Say hello."}],
    max_tokens=50,
    max_retries=2,
)
print(answer.choices[0].message.content)
# end
assert isinstance(answer.choices[0].message.content, str)
assert answer.usage.completion_tokens > 0


def ask(model, **fields):
    given = {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 5, "max_retries": 2, **fields}
    return litellm.completion(
        model=f"openai/{model}",
        api_base=os.environ["OPENAI_BASE_URL"],
        api_key=os.environ["OPENAI_API_KEY"],
        **given,
    )


chunks = list(ask("qwen", stream=True, stream_options={"include_usage": True}))
assert len(chunks) > 1
assert [chunk.usage.completion_tokens for chunk in chunks if getattr(chunk, "usage", None)], chunks[-1]

tools = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "strict": True,
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string", "enum": ["Bonn", "Oslo"]}},
                "required": ["city"],
                "additionalProperties": False,
            },
        },
    }
]
call = ask("qwen", tools=tools, tool_choice="required", max_tokens=200).choices[0].message.tool_calls[0]
assert call.function.name == "get_weather" and json.loads(call.function.arguments)["city"]

for model, kind in {
    "nothing": litellm.NotFoundError,
    "qwen-suspended": litellm.ServiceUnavailableError,
}.items():
    try:
        ask(model, max_retries=0)
        raise AssertionError(f"{model} answered")
    except kind:
        pass
assert ask("qwen-busy").choices
assert ask("qwen-asleep").choices
