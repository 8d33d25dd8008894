using LookaheadKV.Text;

namespace LookaheadKV.Tests.Text;

/// <summary>Chat templates for tests of what uses one.</summary>
internal static class ChatTemplates
{
    public const string ChatMlText =
        "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
        + "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

    public static ChatTemplate ChatMl { get; } = ChatTemplate.Parse(ChatMlText, []);

    /// <summary>Several, in the style of published ones.</summary>
    public static IReadOnlyDictionary<string, ChatTemplate> ByName { get; } =
        new Dictionary<string, ChatTemplate>
        {
            ["chatml"] = ChatMl,
            ["headers"] = Of(
                "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n{{ m.content|trim }}<|eot_id|>{% endfor %}"
                    + "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
            ),
            ["inst"] = Of(
                "{{ bos_token }}{% for m in messages %}{{ '[INST] ' + m.content + ' [/INST]' if m.role == 'user' else ' ' + m.content + '</s>' }}{% endfor %}"
            ),
        };

    private static ChatTemplate Of(string jinja) => ChatTemplate.Parse(jinja, [KeyValuePair.Create("bos_token", "<s>")]);
}
