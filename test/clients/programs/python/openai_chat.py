"""The library of OpenAI for Python. docs/how-to/clients.md shows the parts between `snippet` and `end`."""

import json
# snippet: client
import os

import openai
from openai import OpenAI

client = OpenAI(base_url=os.environ["OPENAI_BASE_URL"], api_key=os.environ["OPENAI_API_KEY"])
# end

messages = [{"role": "user", "content": "Say hello."}]
assert "qwen" in [model.id for model in client.models.list()]
assert client.models.retrieve("qwen").id == "qwen"

# snippet: chat
completion = client.chat.completions.create(
    model="qwen",
    messages=[{"role": "user", "content": "Say hello."}],
    max_tokens=50,
    temperature=0,
)
print(completion.choices[0].message.content)
# end
assert isinstance(completion.choices[0].message.content, str)
assert completion._request_id
assert completion.usage.completion_tokens > 0

text = ""
# snippet: stream
stream = client.chat.completions.create(
    model="qwen",
    messages=[{"role": "user", "content": "Say hello."}],
    max_tokens=50,
    temperature=0,
    stream=True,
    stream_options={"include_usage": True},
)
for chunk in stream:
    if chunk.choices:
        text += chunk.choices[0].delta.content or ""
    usage = chunk.usage  # in the last chunk
# end
assert text == completion.choices[0].message.content, text
assert usage.completion_tokens == completion.usage.completion_tokens

# snippet: tools
tools = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "strict": True,  # arguments must follow the schema
            "description": "The weather of a city",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string", "enum": ["Bonn", "Oslo"]}},
                "required": ["city"],
                "additionalProperties": False,
            },
        },
    }
]
conversation = [{"role": "user", "content": "How is the weather in Bonn?"}]
message = (
    client.chat.completions.create(
        model="qwen", messages=conversation, tools=tools, tool_choice="required", max_tokens=200
    )
    .choices[0]
    .message
)
conversation.append(message)
for call in message.tool_calls or []:
    city = json.loads(call.function.arguments)["city"]
    conversation.append({"role": "tool", "tool_call_id": call.id, "content": f"Sunny in {city}."})
answer = client.chat.completions.create(
    model="qwen", messages=conversation, tools=tools, tool_choice="none", max_tokens=50
)
print(answer.choices[0].message.content)
# end
assert message.tool_calls[0].function.name == "get_weather"
assert isinstance(answer.choices[0].message.content, str)

with client.chat.completions.stream(
    model="qwen", messages=messages, tools=tools, tool_choice="required", max_tokens=200
) as events:
    streamed = events.get_final_completion().choices[0].message.tool_calls[0]
assert json.loads(streamed.function.arguments)["city"]

schema = {
    "type": "object",
    "properties": {"answer": {"enum": ["yes", "no"]}},
    "required": ["answer"],
    "additionalProperties": False,
}
structured = client.chat.completions.create(
    model="qwen",
    messages=messages,
    max_tokens=50,
    response_format={"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}},
)
assert json.loads(structured.choices[0].message.content)["answer"] in ("yes", "no")

response = client.responses.create(model="qwen", input="Say hello.", max_output_tokens=20)
assert isinstance(response.output_text, str)
types = {
    event.type
    for event in client.responses.create(model="qwen", input="Say hello.", max_output_tokens=20, stream=True)
}
assert "response.created" in types and types & {"response.completed", "response.incomplete"}, types

# snippet: errors
try:
    client.with_options(max_retries=0).chat.completions.create(
        model="qwen-suspended", messages=messages, max_tokens=50
    )
except openai.APIStatusError as error:
    print(error.status_code, error.message, error.request_id, error.response.headers.get("retry-after"))
# end
    failure = error
assert isinstance(failure, openai.InternalServerError)
assert (failure.status_code, failure.response.headers["retry-after"]) == (503, "30")


def fails_with(kind, call):
    try:
        call()
    except kind:
        return
    raise AssertionError(f"no {kind.__name__}")


def ask(model, **fields):
    return client.chat.completions.create(model=model, messages=messages, **{"max_tokens": 5, **fields})


fails_with(openai.NotFoundError, lambda: ask("nothing"))
fails_with(openai.BadRequestError, lambda: ask("qwen", max_tokens=1_000_000))
stranger = OpenAI(base_url=os.environ["OPENAI_BASE_URL"], api_key="wrong")
fails_with(openai.AuthenticationError, stranger.models.list)

# The first is refused with 429 and a Retry-After of one second, the other waits until the model has started.
assert ask("qwen-busy").choices
assert ask("qwen-asleep").choices

# snippet: patience
patient = OpenAI(
    base_url=os.environ["OPENAI_BASE_URL"],
    api_key=os.environ["OPENAI_API_KEY"],
    timeout=20 * 60,  # longer than admission.wakeTimeout, which is 15 minutes by default
    max_retries=5,
)
# end
assert patient.chat.completions.create(model="qwen", messages=messages, max_tokens=5).choices
