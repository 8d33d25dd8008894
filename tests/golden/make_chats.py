r"""Makes chats.json.gz: chat templates in the style of real ones, conversations, and what jinja2 makes of them.

    python3 tests/golden/make_chats.py tests/golden

The templates are written for these tests: each in the manner of a family of published ones, and with something in it that a guess by
markers gets wrong.
"""

import gzip
import json
import sys
from pathlib import Path

from jinja_reference import VERSIONS, render

TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>", "additional_special_tokens": ["<x>", "<y>"]}

TEMPLATES = {
    "chatml": "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
    "chatml-default": "{%- for m in messages -%}\n{%- if loop.first and m.role != 'system' -%}\n<|im_start|>system\nYou help.<|im_end|>\n{% endif -%}\n"
    "<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor -%}\n{%- if add_generation_prompt -%}\n<|im_start|>assistant\n{% endif -%}\n",
    "default-in-a-variable": "{% set standing = 'You are kind.' %}{% if messages[0]['role'] == 'system' %}{% set standing = messages[0]['content'] %}"
    "{% set rest = messages[1:] %}{% else %}{% set rest = messages %}{% endif %}<|im_start|>system\n{{ standing }}<|im_end|>\n"
    "{% for m in rest %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
    "system-bare": "{% for m in messages %}{% if m['role'] == 'system' %}{{ m['content'] }}{% else %}{{ '<|im_start|>' ~ m['role'] ~ '\n' ~ m['content'] ~ '<|im_end|>\n' }}"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
    "crlf": "{% for m in messages %}\r\n<|im_start|>{{ m['role'] }}\r\n{{ m['content'] }}<|im_end|>\r\n{% endfor %}\r\n{% if add_generation_prompt %}\r\n"
    "<|im_start|>assistant\r\n{% endif %}\r\n",
    "trim-in-the-tool-part": "{% for m in messages %}{% if m['role'] == 'tool' %}<|im_start|>tool\n{{ m['content'] | trim }}<|im_end|>\n{% else %}"
    "<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
    "headers": "{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'"
    "+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}",
    "headers-default": "{{- bos_token }}\n{%- if messages[0].role != 'system' %}\n    {{- '<|start_header_id|>system<|end_header_id|>\\n\\nBe good.<|eot_id|>' }}\n{%- endif %}\n"
    "{%- for m in messages %}\n    {{- '<|start_header_id|>' ~ m.role ~ '<|end_header_id|>\\n\\n' ~ m.content ~ '<|eot_id|>' }}\n{%- endfor %}\n"
    "{%- if add_generation_prompt %}\n    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}\n{%- endif %}\n",
    "headers-tools-dated": "{{- bos_token }}\n{%- if not date_string is defined %}\n    {%- set date_string = strftime_now(\"%d %b %Y\") %}\n{%- endif %}\n"
    "{%- if messages[0]['role'] == 'system' %}\n    {%- set system_message = messages[0]['content']|trim %}\n    {%- set messages = messages[1:] %}\n{%- else %}\n    {%- set system_message = \"\" %}\n{%- endif %}\n"
    "<|start_header_id|>system<|end_header_id|>\n\nToday: {{ date_string }}\n{% if tools is not none %}\n{{- \"Functions:\\n\" }}\n    {%- for t in tools %}\n        {{- t | tojson(indent=4) }}\n        {{- \"\\n\\n\" }}\n    {%- endfor %}\n{%- endif %}\n"
    "{{- system_message }}<|eot_id|>\n{%- for message in messages %}\n    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}\n"
    "        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}\n    {%- elif 'tool_calls' in message %}\n"
    "        {%- if not message.tool_calls|length == 1 %}\n            {{- raise_exception(\"One call at a time!\") }}\n        {%- endif %}\n        {%- set call = message.tool_calls[0].function %}\n"
    "        {{- '{\"name\": \"' + call.name + '\", \"parameters\": ' }}\n        {{- call.arguments | tojson }}\n        {{- \"}<|eom_id|>\" }}\n    {%- else %}\n"
    "        {{- \"<|start_header_id|>ipython<|end_header_id|>\\n\\n\" }}\n        {%- if message.content is mapping or message.content is iterable %}\n            {{- message.content | tojson }}\n        {%- else %}\n            {{- message.content }}\n        {%- endif %}\n        {{- \"<|eot_id|>\" }}\n    {%- endif %}\n{%- endfor %}\n"
    "{%- if add_generation_prompt %}\n    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}\n{%- endif %}\n",
    "inst-sys": "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% set system_message = false %}{% endif %}"
    "{% for message in loop_messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Turns must go user, assistant, user, assistant.') }}{% endif %}"
    "{% if loop.index0 == 0 and system_message != false %}{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}{% else %}{% set content = message['content'] %}{% endif %}"
    "{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ ' ' + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}",
    "inst-last": "{%- if messages[0][\"role\"] == \"system\" %}\n    {%- set sys = messages[0][\"content\"] %}\n    {%- set rest = messages[1:] %}\n{%- else %}\n    {%- set rest = messages %}\n{%- endif %}\n"
    "{%- set users = rest | selectattr(\"role\", \"equalto\", \"user\") | list %}\n{#- A check of the order #}\n{%- set ns = namespace() %}\n{%- set ns.index = 0 %}\n{%- for m in rest %}\n"
    "    {%- if not (m.role == \"tool\" or (m.tool_calls is defined and m.tool_calls is not none)) %}\n        {%- if (m[\"role\"] == \"user\") != (ns.index % 2 == 0) %}\n            {{- raise_exception(\"Roles must alternate\") }}\n        {%- endif %}\n        {%- set ns.index = ns.index + 1 %}\n    {%- endif %}\n{%- endfor %}\n\n"
    "{{- bos_token }}\n{%- for m in rest %}\n    {%- if m[\"role\"] == \"user\" %}\n        {%- if tools is not none and (m == users[-1]) %}\n            {{- \"[AVAILABLE_TOOLS] [\" }}\n            {%- for tool in tools %}\n                {%- set tool = tool.function %}\n                {{- '{\"type\": \"function\", \"function\": {' }}\n"
    "                {%- for key, val in tool.items() if key != \"return\" %}\n                    {%- if val is string %}\n                        {{- '\"' + key + '\": \"' + val + '\"' }}\n                    {%- else %}\n                        {{- '\"' + key + '\": ' + val|tojson }}\n                    {%- endif %}\n                    {%- if not loop.last %}\n                        {{- \", \" }}\n                    {%- endif %}\n                {%- endfor %}\n                {{- \"}}\" }}\n                {%- if not loop.last %}\n                    {{- \", \" }}\n                {%- else %}\n                    {{- \"]\" }}\n                {%- endif %}\n            {%- endfor %}\n            {{- \"[/AVAILABLE_TOOLS]\" }}\n        {%- endif %}\n"
    "        {%- if loop.last and sys is defined %}\n            {{- \"[INST] \" + sys + \"\\n\\n\" + m[\"content\"] + \"[/INST]\" }}\n        {%- else %}\n            {{- \"[INST] \" + m[\"content\"] + \"[/INST]\" }}\n        {%- endif %}\n    {%- elif m.tool_calls is defined and m.tool_calls is not none %}\n        {{- \"[TOOL_CALLS] [\" }}\n        {%- for c in m.tool_calls %}\n            {%- set out = c.function|tojson %}\n            {{- out[:-1] }}\n            {{- ', \"id\": \"' + (c.id | default('none')) + '\"}' }}\n            {{- \", \" if not loop.last else \"]\" + eos_token }}\n        {%- endfor %}\n"
    "    {%- elif m[\"role\"] == \"assistant\" %}\n        {{- \" \" + m[\"content\"]|trim + eos_token }}\n    {%- elif m[\"role\"] in [\"tool_results\", \"tool\"] %}\n        {{- '[TOOL_RESULTS] {\"content\": ' + m.content|string + \"}[/TOOL_RESULTS]\" }}\n    {%- else %}\n        {{- raise_exception(\"Unknown role: \" ~ m.role) }}\n    {%- endif %}\n{%- endfor %}\n",
    "thinking": "{%- if tools %}\n    {{- '<|im_start|>system\\n' }}\n    {%- if messages[0].role == 'system' %}\n        {{- messages[0].content + '\\n\\n' }}\n    {%- endif %}\n    {{- \"# Tools\\n<tools>\" }}\n    {%- for tool in tools %}\n        {{- \"\\n\" }}\n        {{- tool | tojson }}\n    {%- endfor %}\n    {{- \"\\n</tools><|im_end|>\\n\" }}\n{%- else %}\n    {%- if messages[0].role == 'system' %}\n        {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}\n    {%- endif %}\n{%- endif %}\n"
    "{%- set ns = namespace(multi=true, last=messages|length - 1) %}\n{%- for message in messages[::-1] %}\n    {%- set index = (messages|length - 1) - loop.index0 %}\n    {%- if ns.multi and message.role == \"user\" and message.content is string and not(message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) %}\n        {%- set ns.multi = false %}\n        {%- set ns.last = index %}\n    {%- endif %}\n{%- endfor %}\n"
    "{%- for message in messages %}\n    {%- set content = message.content if message.content is string else '' %}\n    {%- if (message.role == \"user\") or (message.role == \"system\" and not loop.first) %}\n        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>' + '\\n' }}\n    {%- elif message.role == \"assistant\" %}\n        {%- set thought = '' %}\n        {%- if message.reasoning_content is string %}\n            {%- set thought = message.reasoning_content %}\n        {%- else %}\n            {%- if '</think>' in content %}\n                {%- set thought = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}\n                {%- set content = content.split('</think>')[-1].lstrip('\\n') %}\n            {%- endif %}\n        {%- endif %}\n"
    "        {%- if loop.index0 > ns.last and (loop.last or thought) %}\n            {{- '<|im_start|>' + message.role + '\\n<think>\\n' + thought.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}\n        {%- else %}\n            {{- '<|im_start|>' + message.role + '\\n' + content }}\n        {%- endif %}\n        {%- if message.tool_calls %}\n            {%- for tool_call in message.tool_calls %}\n                {%- if (loop.first and content) or (not loop.first) %}\n                    {{- '\\n' }}\n                {%- endif %}\n                {%- if tool_call.function %}\n                    {%- set tool_call = tool_call.function %}\n                {%- endif %}\n                {{- '<tool_call>\\n{\"name\": \"' }}\n                {{- tool_call.name }}\n                {{- '\", \"arguments\": ' }}\n                {{- tool_call.arguments if tool_call.arguments is string else tool_call.arguments | tojson }}\n                {{- '}\\n</tool_call>' }}\n            {%- endfor %}\n        {%- endif %}\n        {{- '<|im_end|>\\n' }}\n"
    "    {%- elif message.role == \"tool\" %}\n        {%- if loop.first or (messages[loop.index0 - 1].role != \"tool\") %}\n            {{- '<|im_start|>user' }}\n        {%- endif %}\n        {{- '\\n<tool_response>\\n' + content + '\\n</tool_response>' }}\n        {%- if loop.last or (messages[loop.index0 + 1].role != \"tool\") %}\n            {{- '<|im_end|>\\n' }}\n        {%- endif %}\n    {%- endif %}\n{%- endfor %}\n{%- if add_generation_prompt %}\n    {{- '<|im_start|>assistant\\n' }}\n    {%- if enable_thinking is defined and enable_thinking is false %}\n        {{- '<think>\\n\\n</think>\\n\\n' }}\n    {%- endif %}\n{%- endif %}",
    "turns-with-parts": "{{ bos_token }}\n{%- if messages[0]['role'] == 'system' -%}\n    {%- if messages[0]['content'] is string -%}\n        {%- set prefix = messages[0]['content'] + '\n\n' -%}\n    {%- else -%}\n        {%- set prefix = messages[0]['content'][0]['text'] + '\n\n' -%}\n    {%- endif -%}\n    {%- set rest = messages[1:] -%}\n{%- else -%}\n    {%- set prefix = '' -%}\n    {%- set rest = messages -%}\n{%- endif -%}\n"
    "{%- for message in rest -%}\n    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}\n        {{ raise_exception(\"Conversation roles must alternate user/assistant/user/assistant/...\") }}\n    {%- endif -%}\n    {%- if (message['role'] == 'assistant') -%}\n        {%- set role = 'model' -%}\n    {%- else -%}\n        {%- set role = message['role'] -%}\n    {%- endif -%}\n    {{ '<start_of_turn>' + role + '\n' + (prefix if loop.first else '') }}\n    {%- if message['content'] is string -%}\n        {{ message['content'] | trim }}\n    {%- elif message['content'] is iterable -%}\n        {%- for item in message['content'] -%}\n            {%- if item['type'] == 'image' -%}\n                {{ '<start_of_image>' }}\n            {%- elif item['type'] == 'text' -%}\n                {{ item['text'] | trim }}\n            {%- endif -%}\n        {%- endfor -%}\n    {%- else -%}\n        {{ raise_exception('Invalid content type') }}\n    {%- endif -%}\n    {{ '<end_of_turn>\n' }}\n{%- endfor -%}\n{%- if add_generation_prompt -%}\n    {{'<start_of_turn>model\n'}}\n{%- endif -%}\n",
    "full-width": "{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}{% set ns = namespace(is_first=false, is_tool=false, is_output_first=true, system_prompt='', is_first_sp=true) %}"
    "{%- for message in messages %}{%- if message['role'] == 'system' %}{%- if ns.is_first_sp %}{% set ns.system_prompt = ns.system_prompt + message['content'] %}{% set ns.is_first_sp = false %}{%- else %}{% set ns.system_prompt = ns.system_prompt + '\\n\\n' + message['content'] %}{%- endif %}{%- endif %}{%- endfor %}{{ bos_token }}{{ ns.system_prompt }}"
    "{%- for message in messages %}{%- if message['role'] == 'user' %}{%- set ns.is_tool = false -%}{{'<｜User｜>' + message['content']}}{%- endif %}{%- if message['role'] == 'assistant' and 'tool_calls' in message %}{%- for tool in message['tool_calls'] %}{%- if not ns.is_first %}{{'<｜Assistant｜><｜calls▁begin｜>' + tool['function']['name'] + '\\n' + '```json' + '\\n' + (tool['function']['arguments']|tojson) + '\\n' + '```'}}{%- set ns.is_first = true -%}{%- else %}{{'\\n' + tool['function']['name']}}{%- endif %}{%- endfor %}{%- endif %}"
    "{%- if message['role'] == 'assistant' and 'tool_calls' not in message %}{% set content = message['content'] %}{% if '</think>' in content %}{% set content = content.split('</think>')[-1] %}{% endif %}{{'<｜Assistant｜>' + content + '<｜end▁of▁sentence｜>'}}{%- endif %}{%- if message['role'] == 'tool' %}{%- set ns.is_tool = true -%}{{'<｜output▁begin｜>' ~ message['content'] ~ '<｜output▁end｜>'}}{%- endif %}{%- endfor -%}{% if add_generation_prompt and not ns.is_tool %}{{'<｜Assistant｜>'}}{% endif %}",
    "typescript": "{%- macro kind(spec) -%}\n    {%- if spec.type == 'array' -%}\n        {{- kind(spec['items']) + '[]' -}}\n    {%- elif spec.enum -%}\n        {%- for value in spec.enum -%}\n            {{- '\"' ~ value ~ '\"' -}}{{ ' | ' if not loop.last }}\n        {%- endfor -%}\n    {%- elif spec.type is iterable and spec.type is not string -%}\n        {{- spec.type|join(' | ') -}}\n    {%- elif spec.type == 'object' -%}\n        {\n{% for name, inner in spec.properties.items() %}\n  {{ name }}{{ '?' if name not in (spec.required or []) }}: {{ kind(inner) }},{% if inner.description %} // {{ inner.description }}{% endif %}\n\n{% endfor %}\n}\n    {%- else -%}\n        {{- spec.type or 'any' -}}\n    {%- endif -%}\n{%- endmacro -%}\n"
    "{%- macro tool_lines(tools) -%}\n{%- for tool in tools -%}\n    {%- set f = tool.function -%}\n// {{ f.description }}\ntype {{ f.name }} = (_: {{ kind(f.parameters) }}) => any;\n\n{% endfor -%}\n{%- endmacro -%}\n"
    "<|start|>system<|message|>Date: {{ strftime_now('%Y-%m-%d') }}\nReasoning: {{ reasoning_effort|default('medium') }}{% if tools %}\n\n# Tools\n{{ tool_lines(tools) }}{% endif %}<|end|>\n{%- for m in messages -%}\n<|start|>{{ m.role }}<|message|>\n    {%- if m.content is string -%}{{ m.content }}{%- elif m.content -%}{%- for p in m.content -%}{{ p.text or '' }}{%- endfor -%}{%- endif -%}\n{{ '<|return|>' if loop.last and m.role == 'assistant' and not add_generation_prompt else '<|end|>' }}\n{%- endfor -%}\n{%- if add_generation_prompt -%}\n<|start|>assistant\n{%- endif -%}",
    "plain-labels": "{% set ns = namespace(out='') %}{% for m in messages %}{% set label = {'system': '', 'user': 'USER: ', 'assistant': 'ASSISTANT: '}.get(m.role, m.role.upper() ~ ': ') %}{% set ns.out = ns.out ~ label ~ m.content ~ ('\n\n' if m.role == 'system' else eos_token if m.role == 'assistant' else ' ') %}{% endfor %}{{ ns.out }}{% if add_generation_prompt %}ASSISTANT:{% endif %}",
    "instructions": "{% if messages[0]['role'] != 'system' %}Below is a task.\n\n{% else %}{{ messages[0]['content'] }}\n\n{% endif %}{% for m in messages if m.role != 'system' %}### {{ 'Instruction' if m.role == 'user' else 'Response' if m.role == 'assistant' else m.role|title }}:\n{{ m.content }}\n\n{% else %}nothing{% endfor %}{% if add_generation_prompt %}### Response:\n{% endif %}",
    "generation-tags": "{% for message in messages %}\n{%- if message['role'] == 'assistant' %}\n<|assistant|>\n{% generation %}{{ message['content'] }}<|end|>\n{% endgeneration %}\n{%- else %}\n<|{{ message['role'] }}|>\n{{ message['content'] }}<|end|>\n{% endif %}\n{% endfor %}\n{%- if add_generation_prompt %}\n<|assistant|>\n{% endif %}",
    "early-end": "{{ bos_token }}{% for m in messages %}{% if m.role == 'tool' %}{% continue %}{% endif %}{% if loop.index > 5 %}{% break %}{% endif %}[{{ loop.index }}/{{ loop.length }} {{ m.role[0]|upper }}{% if loop.previtem is defined and loop.previtem.role == m.role %} again{% endif %}] {{ (m.content or '')|replace('\n', ' ')|truncate(30) }}{{ loop.cycle(';', '|') }}{% endfor %}{{ additional_special_tokens|join }}",
    "documents": "{% if documents %}<docs>\n{% for d in documents %}\n{{ loop.index0 }}: {{ d.title|default('untitled') }}\n{{ d.text|indent(2, true) }}\n{% endfor %}\n</docs>\n{% endif %}{% for role, group in messages|groupby('role') %}{{ role }}: {{ group|map(attribute='content')|select('string')|map('trim')|join(' / ') }}\n{% endfor %}{{ messages|map(attribute='role')|unique|list }}",
    "dumped": "{{ messages }}|{{ messages|tojson }}|{{ messages[0]|dictsort }}|{{ tools }}|{{ pad_token }}{{ sep_token }}|{% for m in messages %}{% for k, v in m|items %}{{ k }}={{ v }};{% endfor %}{% endfor %}{{ '%s has %d turns' % (messages[-1].role, messages|length) }}",
    "callers": "{% macro turn(role) %}<{{ role }}>{{ caller() }}</{{ role }}>{% endmacro %}{% for m in messages %}{% call turn(m.role) %}{{ m.content }}{% endcall %}{% endfor %}{% set tail %}  {{ bos_token }} end {% endset %}{{ tail|trim|upper }}{% filter replace('a', 'b') %}banana{% endfilter %}{% raw %}{{ raw }}{% endraw %}{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}",
}

TOOLS = [
    {"type": "function", "function": {"name": "add", "description": "Adds \"two\" numbers & more <ok>", "parameters": {"type": "object", "properties": {"a": {"type": "integer", "description": "first"}, "b": {"type": ["number", "null"]}, "tags": {"type": "array", "items": {"type": "string", "enum": ["x", "ü"]}}}, "required": ["a"]}}},
    {"type": "function", "function": {"name": "none", "description": "Nichts für ungut 😀", "parameters": {"type": "object", "properties": {}}, "return": {"type": "string"}}},
]

CONVERSATIONS = [
    {"messages": [{"role": "user", "content": " Hi "}]},
    {"messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "Hi"}]},
    {"messages": [{"role": "user", "content": "Two and two?"}, {"role": "assistant", "content": " Four. "}, {"role": "user", "content": "And three?\n"}]},
    {"messages": [{"role": "system", "content": "  Be brief.\n\n"}, {"role": "user", "content": ""}, {"role": "assistant", "content": "<think>\nhm\n</think>\n\nYes"}]},
    {"messages": [{"role": "user", "content": "naïve 😀 日本\r\nline\u2028sep \x1f<|im_end|>"}, {"role": "user", "content": "twice"}]},
    {"messages": [{"role": "system", "content": "A"}, {"role": "system", "content": "B"}, {"role": "user", "content": "C"}, {"role": "assistant", "content": "D"}, {"role": "user", "content": "E"}, {"role": "assistant", "content": "F"}]},
    {"messages": [{"role": "user", "content": "What is 2 + 2?"}, {"role": "assistant", "content": None, "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "add", "arguments": {"a": 2, "b": 2.0, "tags": ["ü", "</s>"]}}}]}, {"role": "tool", "content": "4"}, {"role": "assistant", "content": "Four."}], "tools": TOOLS},
    {"messages": [{"role": "system", "content": "T"}, {"role": "user", "content": "go"}], "tools": TOOLS, "enable_thinking": False, "date_string": "1 Jan 2000", "reasoning_effort": "high"},
    {"messages": [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": " See? "}]}]},
    {"messages": [{"role": "user", "content": "docs"}], "documents": [{"title": "One", "text": "a\nb\n\nc"}, {"text": "d"}]},
    {"messages": [{"role": "assistant", "content": "first"}, {"role": "critic", "content": "why?", "weight": 1.5, "ok": True, "n": None}]},
    {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "", "reasoning_content": "because", "tool_calls": [{"function": {"name": "add", "arguments": "{\"a\": 1}"}}, {"function": {"name": "none", "arguments": {}}}]}, {"role": "tool", "content": "1"}, {"role": "tool", "content": "é"}]},
]


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    outputs = {}
    for name, template in TEMPLATES.items():
        rows = outputs[name] = []
        for conversation in CONVERSATIONS:
            for answer in (True, False):
                context = {**TOKENS, "tools": None, "documents": None, "add_generation_prompt": answer, **conversation}
                result = render(template, context)
                rows.append([result.get("output"), result.get("raised")])
    golden = {"versions": VERSIONS, "tokens": TOKENS, "templates": TEMPLATES, "conversations": CONVERSATIONS, "outputs": outputs}
    path = Path(sys.argv[1]) / "chats.json.gz"
    path.write_bytes(gzip.compress(json.dumps(golden, ensure_ascii=False, separators=(",", ":")).encode("utf-8"), 9, mtime=0))
    for name, rows in outputs.items():
        print(f"{name}: {sum(row[0] is not None for row in rows)} of {len(rows)} rendered")
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
