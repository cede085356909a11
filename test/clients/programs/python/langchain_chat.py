"""LangChain, by its package langchain-openai."""

from typing import Literal

import openai

# snippet: client
import os

from langchain_openai import ChatOpenAI

llm = ChatOpenAI(
    model="qwen",
    base_url=os.environ["OPENAI_BASE_URL"],
    api_key=os.environ["OPENAI_API_KEY"],
    max_tokens=50,
    stream_usage=True,  # else streams have no usage: it is off for other addresses than OpenAI's
)
print(llm.invoke("Say hello.").content)
# end
from langchain_core.messages import HumanMessage, ToolMessage  # noqa: E402
from langchain_core.tools import tool  # noqa: E402
from pydantic import BaseModel  # noqa: E402

answer = llm.invoke("Say hello.")
assert isinstance(answer.content, str)
assert answer.usage_metadata["output_tokens"] > 0

chunks = list(llm.stream("Say hello."))
whole = chunks[0]
for chunk in chunks[1:]:
    whole += chunk
assert len(chunks) > 1 and whole.usage_metadata["output_tokens"] > 0, whole

assert len(llm.batch(["Say hello.", "Say goodbye."])) == 2


@tool
def get_weather(city: Literal["Bonn", "Oslo"]) -> str:
    """The weather of a city."""
    return f"Sunny in {city}."


question = HumanMessage("How is the weather in Bonn?")
asked = llm.bind_tools([get_weather], tool_choice="required", strict=True, max_tokens=200).invoke([question])
(call,) = asked.tool_calls[:1]
assert call["name"] == "get_weather"
result = get_weather.invoke(call)
assert isinstance(result, ToolMessage)
done = llm.bind_tools([get_weather], tool_choice="none", strict=True).invoke(
    [question, asked.model_copy(update={"tool_calls": [call]}), result]
)
assert isinstance(done.content, str)


class Answer(BaseModel):
    """Yes or no."""

    answer: Literal["yes", "no"]


assert llm.with_structured_output(Answer, method="json_schema").invoke("Is it?").answer in ("yes", "no")


def ask(model, **fields):
    return ChatOpenAI(model=model, base_url=os.environ["OPENAI_BASE_URL"], max_tokens=5, **fields).invoke("Hello")


for model, kind in {"nothing": openai.NotFoundError, "qwen-suspended": openai.InternalServerError}.items():
    try:
        ask(model, max_retries=0)
        raise AssertionError(f"{model} answered")
    except kind:
        pass
assert ask("qwen-busy").content is not None
assert ask("qwen-asleep").content is not None
