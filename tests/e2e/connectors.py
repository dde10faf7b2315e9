#!/usr/bin/env python3
"""Clients that others wrote against `landfall serve`: LangChain and LlamaIndex through their OpenAI
connectors, and the official `anthropic` package.  Their core paths: whole and streamed answers,
output held to a schema, embeddings, errors.  Skipped only where pip cannot install them."""
import json, os, sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from serving import Checks, Server, in_venv

SKY = "Answer with one word: what colour is the sky on a clear day?"
CATS = ["The cat sleeps on the sofa.", "A kitten is napping on the couch.", "Steel output rose by five per cent."]


def dot(u, v):
    return sum(a * b for a, b in zip(u, v))


def near(check, vectors, what):
    check(abs(dot(vectors[0], vectors[0]) - 1) < 1e-3 and
          dot(vectors[0], vectors[1]) > dot(vectors[0], vectors[2]) + 0.02, what)


def langchain(check, url):
    from langchain_openai import ChatOpenAI, OpenAI, OpenAIEmbeddings
    from pydantic import BaseModel, Field

    class Person(BaseModel):
        name: str
        age: int = Field(ge=0)

    at = {"base_url": url + "/v1", "api_key": "none", "max_retries": 0, "timeout": 240}
    chat = ChatOpenAI(model="default", temperature=0, max_tokens=12, **at)
    r = chat.invoke([("system", "You answer in one word."), ("user", SKY)])
    check("blue" in r.content.lower() and r.usage_metadata["output_tokens"] > 0, f"langchain invoke: {r.content!r}")
    chunks = list(chat.stream(SKY))
    text = "".join(c.content for c in chunks)
    check(text == chat.invoke(SKY).content and len(chunks) > 1, f"langchain stream: {text!r}, {len(chunks)} chunks")
    check([a.content for a in chat.batch([SKY, "Say hello."])][0] == text, "langchain batch gives the same text")
    people = ChatOpenAI(model="default", temperature=0, max_tokens=80, **at)
    ask = "Alice is 31 years old. Give her name and age as JSON."
    p = people.with_structured_output(Person, method="json_schema").invoke(ask)
    check(p == Person(name="Alice", age=31), f"langchain with_structured_output json_schema: {p!r}")
    p = people.with_structured_output(Person, method="function_calling").invoke(ask)
    check(p == Person(name="Alice", age=31), f"langchain with_structured_output function_calling: {p!r}")
    v = people.bind(response_format={"type": "json_object"}).invoke(ask)
    check(v.content.lstrip().startswith("{"), f"langchain json_object: {v.content!r}")
    text = OpenAI(model="default", temperature=0, max_tokens=6, **at).invoke("The capital of France is")
    check("Paris" in text, f"langchain completion: {text!r}")
    e = OpenAIEmbeddings(model="default-embed", check_embedding_ctx_length=False, **at)
    near(check, e.embed_documents(CATS), "langchain embed_documents")
    check(len(e.embed_query("cats")) == len(e.embed_query("dogs")), "langchain embed_query")


def llamaindex(check, url):
    from llama_index.core.llms import ChatMessage
    from llama_index.embeddings.openai_like import OpenAILikeEmbedding
    from llama_index.llms.openai_like import OpenAILike
    at = {"api_base": url + "/v1", "api_key": "none", "max_retries": 0, "timeout": 240}
    llm = OpenAILike(model="default", is_chat_model=True, temperature=0, max_tokens=12, context_window=8192, **at)
    r = llm.chat([ChatMessage(role="system", content="You answer in one word."), ChatMessage(role="user", content=SKY)])
    check("blue" in r.message.content.lower(), f"llama-index chat: {r.message.content!r}")
    whole = llm.complete(SKY).text
    pieces = [d.delta for d in llm.stream_chat([ChatMessage(role="user", content=SKY)])]
    check("".join(pieces) == whole and len(pieces) > 1, f"llama-index stream_chat: {whole!r}, {len(pieces)} pieces")
    raw = OpenAILike(model="default", is_chat_model=False, temperature=0, max_tokens=6, context_window=8192, **at)
    text = raw.complete("The capital of France is").text
    check("Paris" in text, f"llama-index complete: {text!r}")
    pieces = [d.delta for d in raw.stream_complete("The capital of France is")]
    check("".join(pieces) == text, f"llama-index stream_complete: {len(pieces)} pieces")
    e = OpenAILikeEmbedding(model_name="default-embed", api_base=at["api_base"], api_key="none")
    near(check, e.get_text_embedding_batch(CATS), "llama-index get_text_embedding_batch")


def claude(check, url):
    import anthropic
    c = anthropic.Anthropic(base_url=url, api_key="none", max_retries=0, timeout=240)
    greedy = {"model": "default", "extra_body": {"temperature": 0}}  # not every version has the argument
    ask = [{"role": "user", "content": SKY}]
    m = c.messages.create(max_tokens=12, **greedy, system="You answer in one word.", messages=ask)
    check("blue" in m.content[0].text.lower() and m.stop_reason == "end_turn" and m.usage.output_tokens > 0,
          f"anthropic create: {m.content[0].text!r}")
    m = c.messages.create(max_tokens=30, **greedy, stop_sequences=["4"],
                          messages=[{"role": "user", "content": "Count from 1 to 9."}])
    check(m.stop_reason == "stop_sequence" and m.stop_sequence == "4" and "3" in m.content[0].text and
          "4" not in m.content[0].text, f"anthropic stop_sequences: {m.content[0].text!r}")
    m = c.messages.create(max_tokens=3, **greedy, messages=[
        {"role": "user", "content": "Write the word Landfall."}, {"role": "assistant", "content": "Land"}])
    check(m.stop_reason in ("max_tokens", "end_turn") and m.content[0].text.startswith("fall"),
          f"anthropic goes on from the assistant's words: {m.content[0].text!r}")
    with c.messages.stream(max_tokens=12, **greedy, messages=ask) as s:
        pieces = list(s.text_stream)
        last = s.get_final_message()
    whole = c.messages.create(max_tokens=12, **greedy, messages=ask)
    check("".join(pieces) == last.content[0].text == whole.content[0].text and
          last.usage.input_tokens == whole.usage.input_tokens and last.stop_reason == whole.stop_reason,
          f"anthropic stream: {last.content[0].text!r} in {len(pieces)} pieces")
    n = c.messages.count_tokens(model="default", messages=ask).input_tokens
    check(n == whole.usage.input_tokens, f"anthropic count_tokens: {n}")

    weather = {"name": "get_weather", "description": "The weather of a city now", "input_schema": {
        "type": "object", "properties": {"city": {"type": "string", "maxLength": 40}}, "required": ["city"],
        "additionalProperties": False}}
    turn = [{"role": "user", "content": "What is the weather in Paris?"}]
    must = {"tools": [weather], "tool_choice": {"type": "tool", "name": "get_weather"}}
    m = c.messages.create(max_tokens=80, **greedy, **must, messages=turn)
    call = m.content[-1]
    check(m.stop_reason == "tool_use" and call.type == "tool_use" and list(call.input) == ["city"] and "Paris" in call.input["city"],
          f"anthropic tool_use: {call.name} {call.input}")
    with c.messages.stream(max_tokens=80, **greedy, **must, messages=turn) as s:
        said = s.get_final_message().content[-1]
    check(said.input == call.input and said.name == call.name, "anthropic tool_use streamed: the same call")
    m = c.messages.create(max_tokens=60, **greedy, tools=[weather], tool_choice={"type": "none"}, messages=turn + [
        {"role": "assistant", "content": [{"type": "tool_use", "id": call.id, "name": call.name, "input": call.input}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "17 degrees, light rain"},
                                     {"type": "text", "text": "How many degrees is it? Answer in words, not in JSON."}]}])
    check(m.stop_reason == "end_turn" and "17" in m.content[0].text, f"anthropic tool_result: {m.content[0].text!r}")
    person = {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
              "required": ["name", "age"], "additionalProperties": False}
    m = c.messages.create(max_tokens=80, model="default", messages=[
        {"role": "user", "content": "Alice is 31 years old. Give her name and age as JSON."}],
        extra_body={"temperature": 0, "output_config": {"format": {"type": "json_schema", "schema": person}}})
    check(json.loads(m.content[0].text) == {"name": "Alice", "age": 31}, f"anthropic output_config: {m.content[0].text!r}")

    def refused(kind, word, what, **kw):
        try:
            c.messages.create(**{"model": "default", "max_tokens": 5, "messages": ask, **kw})
            check(False, what)
        except kind as e:
            check(e.body["type"] == "error" and word in e.message, f"{what}: {e.status_code} {e.body['error']['type']}")
    refused(anthropic.NotFoundError, "no-such-model", "anthropic: an unknown model", model="no-such-model")
    refused(anthropic.BadRequestError, "context", "anthropic: a prompt over the context",
            messages=[{"role": "user", "content": "word " * 60000}])
    refused(anthropic.BadRequestError, "thinking", "anthropic: thinking is refused by name",
            thinking={"type": "enabled", "budget_tokens": 1024})


def main():
    in_venv("connectors", "langchain-openai==0.3.32", "llama-index-llms-openai-like==0.5.1",
            "llama-index-embeddings-openai-like==0.4.0", "anthropic==2.12.0", "openai==1.99.9")
    check = Checks()
    with Server() as s:
        langchain(check, s.url)
        llamaindex(check, s.url)
        claude(check, s.url)
    check.end()


if __name__ == "__main__":
    main()
