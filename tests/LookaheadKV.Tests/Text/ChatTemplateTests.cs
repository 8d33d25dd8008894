using System.IO.Compression;
using System.Text.Json;
using LookaheadKV.Tests.Jinja;
using LookaheadKV.Text;
using Xunit;

namespace LookaheadKV.Tests.Text;

/// <summary>Chat templates: what they render is jinja2's (<c>tests/golden/make_chats.py</c>), where they come from, and what they are given.</summary>
public sealed class ChatTemplateTests : IDisposable
{
    private static readonly Lazy<JsonElement> Golden = new(() =>
    {
        using var packed = new GZipStream(File.OpenRead(RandomTemplateTests.Golden("chats.json.gz")), CompressionMode.Decompress);
        using var document = JsonDocument.Parse(packed);
        return document.RootElement.Clone();
    });

    private static readonly ChatMessage Question = ChatMessage.User(" Two and two? ");
    private static readonly ChatMessage Answer = ChatMessage.Assistant("Four. ");

    private readonly string folder = Directory.CreateTempSubdirectory("lookahead-chat-").FullName;

    public static TheoryData<string> Names => [.. Golden.Value.GetProperty("templates").EnumerateObject().Select(static t => t.Name)];

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Theory]
    [MemberData(nameof(Names))]
    public void ConversationsRenderAsInJinja2(string name)
    {
        var config = Golden.Value.GetProperty("tokens").EnumerateObject().ToDictionary(static t => t.Name, static t => t.Value);
        config["chat_template"] = Golden.Value.GetProperty("templates").GetProperty(name);
        Write(config);
        var template = ChatTemplate.Of(folder);
        var rows = Golden.Value.GetProperty("outputs").GetProperty(name).EnumerateArray();
        var cases = Golden.Value.GetProperty("conversations").EnumerateArray().SelectMany(static c => new[] { (c, true), (c, false) });
        Assert.All(
            cases.Zip(rows),
            pair =>
            {
                var (conversation, answer) = pair.First;
                var variables = conversation.EnumerateObject().ToDictionary(static v => v.Name, static v => v.Value);
                variables.Remove("messages", out var messages);
                string Render() =>
                    template.Render([.. messages.EnumerateArray().Select(static m => new ChatMessage(m))], answer, variables);
                if (pair.Second[0].GetString() is { } wanted)
                    Assert.Equal(Dated(wanted), Render());
                else
                    Assert.Contains(pair.Second[1].GetString() ?? "", Assert.Throws<InputException>(Render).Message);
            }
        );
    }

    [Fact]
    public void AnAnswersEndIsWhatTheTemplatePutsBehindIt()
    {
        Assert.Equal("<|im_end|>", ChatTemplates.ChatMl.EndOfAnswer);
        Assert.Equal("</s>", Of("{% for m in messages %}{{ m.content }} </s> {% endfor %}").EndOfAnswer);
        Assert.Null(Of("{% for m in messages %}{{ m.content }}\n{% endfor %}").EndOfAnswer);
        Assert.Null(Of("{{ messages[0].content }}").EndOfAnswer);
        Assert.Null(Of("{% if messages[1] %}{{ raise_exception('one turn!') }}{% endif %}x").EndOfAnswer);
    }

    [Fact]
    public void TokensOfTheFilesAreVariables()
    {
        const string Jinja =
            "{{ bos_token }}|{{ eos_token }}|{{ unk_token }}|{{ image_token }}|{{ boi_token }}|{{ additional_special_tokens }}|{{ add_bos_token }}";
        File.WriteAllText(
            Path.Combine(folder, "tokenizer_config.json"),
            """
            {"bos_token": "<b>", "eos_token": {"content": "</b>", "lstrip": false}, "unk_token": null, "add_bos_token": true,
             "additional_special_tokens": ["<1>", {"content": "<2>"}], "image_token": "<i>", "extra_special_tokens": {"boi_token": "<boi>"}}
            """
        );
        File.WriteAllText(Path.Combine(folder, "chat_template.jinja"), Jinja);
        Assert.Equal("<b>|</b>||<i>|<boi>|['<1>', '<2>']|", ChatTemplate.Of(folder).Render([Question]));
        // Before added_tokens_decoder, the map went first.
        File.WriteAllText(Path.Combine(folder, "special_tokens_map.json"), """{"bos_token": {"content": "<m>"}, "unk_token": "<u>"}""");
        Assert.StartsWith("<m>|</b>|<u>|", ChatTemplate.Of(folder).Render([Question]));
        File.WriteAllText(Path.Combine(folder, "tokenizer_config.json"), """{"bos_token": "<b>", "added_tokens_decoder": {}}""");
        Assert.StartsWith("<b>||", ChatTemplate.Of(folder).Render([Question]));
    }

    [Fact]
    public void OfSeveralTemplatesTheDefaultIsTakenOrTheOneNamed()
    {
        Write(new { chat_template = new[] { new { name = "rag", template = "R" }, new { name = "default", template = "D" } } });
        Assert.Equal("D", ChatTemplate.Of(folder).Render([Question]));
        Assert.Equal("R", ChatTemplate.Of(folder, "rag").Render([Question]));
        Refused("there is no chat template \"tool_use\"", "rag, default", () => ChatTemplate.Of(folder, "tool_use"));
        Write(new { chat_template = new[] { new { name = "rag", template = "R" } } });
        Refused("there is no chat template \"default\"", "rag", () => ChatTemplate.Of(folder));
        Write(new { chat_template = new { rag = "R", @default = "D" } });
        Assert.Equal("D", ChatTemplate.Of(folder).Render([Question]));
    }

    [Fact]
    public void ConversationsWithToolsTakeTheTemplateForThem()
    {
        Write(
            new { chat_template = new[] { new { name = "default", template = "D" }, new { name = "tool_use", template = "T{{ tools }}" } } }
        );
        var tools = new Dictionary<string, JsonElement> { ["tools"] = JsonSerializer.SerializeToElement(new[] { 1 }) };
        Assert.Equal("T[1]", ChatTemplate.Of(folder).Render([Question], variables: tools));
        Assert.Equal("D", ChatTemplate.Of(folder).Render([Question]));
        Assert.Equal("D", ChatTemplate.Of(folder, "default").Render([Question], variables: tools));
        Directory.CreateDirectory(Path.Combine(folder, "additional_chat_templates"));
        File.WriteAllText(Path.Combine(folder, "additional_chat_templates", "tool_use.jinja"), "U");
        Assert.Equal("U", ChatTemplate.Of(folder).Render([Question], variables: tools));
    }

    [Fact]
    public void AFileOfItsOwnGoesFirst()
    {
        Assert.False(ChatTemplate.IsIn(folder));
        File.WriteAllText(Path.Combine(folder, "chat_template.json"), """{"chat_template": "P"}""");
        Assert.Equal("P", ChatTemplate.Of(folder).Render([Question]));
        Write(new { chat_template = "C" });
        Assert.Equal("C", ChatTemplate.Of(folder).Render([Question]));
        File.WriteAllText(Path.Combine(folder, "chat_template.jinja"), "\uFEFFJ");
        Assert.Equal("J", ChatTemplate.Of(folder).Render([Question]));
        Assert.True(ChatTemplate.IsIn(folder));
    }

    [Fact]
    public void WhatIsWrongIsNamedWithItsFileAndLine()
    {
        Refused(folder, "no chat template", () => ChatTemplate.Of(folder));
        Write(new { chat_template = 7 });
        Refused("tokenizer_config.json", "chat_template is 7", () => ChatTemplate.Of(folder));
        Write(new { chat_template = "a\n{{ messages | spell }}" });
        Refused("tokenizer_config.json: chat template, line 2", "there is no filter 'spell'", () => ChatTemplate.Of(folder));
        File.WriteAllText(Path.Combine(folder, "chat_template.jinja"), "\n\n{{ raise_exception('No\nsystem!') }}");
        Refused("chat_template.jinja: chat template, line 3: No system!", "", () => ChatTemplate.Of(folder).Render([Question]));
        Refused("the conversation is empty", "", () => ChatTemplates.ChatMl.Render([]));
        Refused("a message is 5", "object", () => new ChatMessage(JsonSerializer.SerializeToElement(5)));
    }

    [Fact]
    public void AConversationIsReadFromAListOrAnObject()
    {
        var path = Path.Combine(folder, "messages.json");
        File.WriteAllText(path, """[{"role": "user", "content": "q", "weight": 2}]""");
        var list = Conversation.Read(path);
        Assert.Equal("q", Assert.Single(list.Messages).Content);
        Assert.Equal(2, list.Messages[0].Json.GetProperty("weight").GetInt32());
        Assert.Empty(list.Variables);
        File.WriteAllText(path, """{"tools": null, "messages": [{"role": "user", "content": ["p"]}], "enable_thinking": false}""");
        var whole = Conversation.Read(path);
        Assert.Null(Assert.Single(whole.Messages).Content);
        Assert.Equal(["enable_thinking", "tools"], whole.Variables.Keys.Order());
    }

    [Theory]
    [InlineData("[5]", "[0] is 5")]
    [InlineData("{\"messages\": 5}", "messages is 5")]
    [InlineData("{}", "messages is missing")]
    [InlineData("7", "is 7")]
    [InlineData("[{\"role\": ", "not JSON")]
    [InlineData("[{\"role\": \"user\", \"content\": \"\\ud800\"}]", "half of a surrogate pair")]
    [InlineData("[{\"role\": \"user\", \"\\udc00\": 1}]", "half of a surrogate pair")]
    public void AFileThatIsNoConversationIsNamed(string text, string told)
    {
        var path = Path.Combine(folder, "messages.json");
        File.WriteAllText(path, text);
        Refused(path, told, () => Conversation.Read(path));
    }

    [Fact]
    public void SystemMessagesStandWhereTheTemplatePutsThem() =>
        Assert.Equal(
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n Two and two? <|im_end|>\n<|im_start|>assistant\nFour. <|im_end|>\n",
            ChatTemplates.ChatMl.Render([ChatMessage.System("Be brief."), Question, Answer], answer: false)
        );

    private static ChatTemplate Of(string jinja) => ChatTemplate.Parse(jinja, []);

    private void Write(object config) => File.WriteAllText(Path.Combine(folder, "tokenizer_config.json"), JsonSerializer.Serialize(config));

    // The golden clock stood still; here it is today.
    private static string Dated(string text) =>
        text.Replace("07 Mar 2025", DateTime.Now.ToString("dd MMM yyyy", System.Globalization.CultureInfo.InvariantCulture))
            .Replace("2025-03-07", DateTime.Now.ToString("yyyy-MM-dd", System.Globalization.CultureInfo.InvariantCulture));

    private static void Refused(string part, string other, Func<object> work)
    {
        var message = Assert.Throws<InputException>(work).Message;
        Assert.Contains(part, message);
        Assert.Contains(other, message);
        Assert.DoesNotContain('\n', message);
    }
}
