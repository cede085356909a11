"""The library of Anthropic for Python, on /v1/messages."""

# snippet: client
import os

import anthropic
from anthropic import Anthropic

# Without /v1, which this library adds. The key is sent as x-api-key.
client = Anthropic(base_url=os.environ["ANTHROPIC_BASE_URL"], api_key=os.environ["ANTHROPIC_API_KEY"])
# end

messages = [{"role": "user", "content": "Say hello."}]


def prompt_of(message):
    """Tokens of the prompt: those that the engine found in its prefix cache are counted apart."""
    return message.usage.input_tokens + (message.usage.cache_read_input_tokens or 0)


whole = client.messages.create(model="qwen", max_tokens=50, messages=messages)
assert (whole.type, whole.role, whole.model) == ("message", "assistant", "qwen")
assert whole.usage.output_tokens > 0

# snippet: stream
with client.messages.stream(
    model="qwen", max_tokens=50, messages=[{"role": "user", "content": "Say hello."}]
) as stream:
    for text in stream.text_stream:
        print(text, end="", flush=True)
    message = stream.get_final_message()
# end
assert message.usage.output_tokens > 0 and message.stop_reason
assert prompt_of(message) == prompt_of(whole)
assert client.messages.count_tokens(model="qwen", messages=messages).input_tokens == prompt_of(whole)

tools = [
    {
        "name": "get_weather",
        "strict": True,
        "input_schema": {
            "type": "object",
            "properties": {"city": {"type": "string", "enum": ["Bonn", "Oslo"]}},
            "required": ["city"],
            "additionalProperties": False,
        },
    }
]
called = client.messages.create(
    model="qwen", max_tokens=200, messages=messages, tools=tools, tool_choice={"type": "any"}
)
(use,) = [block for block in called.content if block.type == "tool_use"]
assert use.name == "get_weather" and use.input["city"], use
assert called.stop_reason == "tool_use"
answer = client.messages.create(
    model="qwen",
    max_tokens=50,
    tools=tools,
    tool_choice={"type": "none"},
    messages=[
        *messages,
        {"role": "assistant", "content": called.content},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": use.id, "content": "Sunny."}]},
    ],
)
assert answer.type == "message"
with client.messages.stream(
    model="qwen", max_tokens=200, messages=messages, tools=tools, tool_choice={"type": "any"}
) as events:
    streamed = events.get_final_message()
assert [block.input["city"] for block in streamed.content if block.type == "tool_use"]

assert "qwen" in [model.id for model in client.models.list()]


def ask(model, asking=client):
    return asking.messages.create(model=model, max_tokens=5, messages=messages)


def failure_of(call):
    try:
        call()
    except anthropic.APIStatusError as error:
        return error
    raise AssertionError("no error")


suspended = failure_of(lambda: ask("qwen-suspended", client.with_options(max_retries=0)))
assert isinstance(suspended, anthropic.InternalServerError)
assert (suspended.status_code, suspended.response.headers["retry-after"]) == (503, "30")
assert suspended.body["error"]["type"] == "overloaded_error"
assert isinstance(failure_of(lambda: ask("nothing")), anthropic.NotFoundError)
stranger = Anthropic(base_url=os.environ["ANTHROPIC_BASE_URL"], api_key="wrong")
assert isinstance(failure_of(lambda: ask("qwen", stranger)), anthropic.AuthenticationError)
assert ask("qwen-busy").type == "message"
assert ask("qwen-asleep").type == "message"
