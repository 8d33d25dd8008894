using System.Text.Json;
using LookaheadKV.Text;
using Xunit;

namespace LookaheadKV.Tests.Text;

public sealed class ChatTemplateTests : IDisposable
{
    private static readonly ChatMessage System = ChatMessage.System("Be brief.\n");
    private static readonly ChatMessage Question = ChatMessage.User(" Two and two? ");
    private static readonly ChatMessage Answer = ChatMessage.Assistant("Four. ");
    private static readonly ChatMessage Next = ChatMessage.User("And three?");

    private readonly string folder = Directory.CreateTempSubdirectory("lookahead-chat-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Theory]
    [InlineData(
        "llama3",
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nTwo and two?<|eot_id|>"
            + "<|start_header_id|>assistant<|end_header_id|>\n\nFour.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nAnd three?<|eot_id|>"
            + "<|start_header_id|>assistant<|end_header_id|>\n\n"
    )]
    [InlineData(
        "llama3.1",
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\nBe brief.<|eot_id|>"
            + "<|start_header_id|>user<|end_header_id|>\n\nTwo and two?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nFour.<|eot_id|>"
            + "<|start_header_id|>user<|end_header_id|>\n\nAnd three?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
    )]
    [InlineData(
        "chatml",
        "<|im_start|>system\nBe brief.\n<|im_end|>\n<|im_start|>user\n Two and two? <|im_end|>\n<|im_start|>assistant\nFour. <|im_end|>\n"
            + "<|im_start|>user\nAnd three?<|im_end|>\n<|im_start|>assistant\n"
    )]
    [InlineData(
        "qwen3",
        "<|im_start|>system\nBe brief.\n<|im_end|>\n<|im_start|>user\n Two and two? <|im_end|>\n<|im_start|>assistant\nFour. <|im_end|>\n"
            + "<|im_start|>user\nAnd three?<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
    )]
    [InlineData("mistral-v1", "<s> [INST] Be brief.\n\n\n Two and two?  [/INST] Four. </s> [INST] And three? [/INST]")]
    [InlineData("mistral-v3", "<s>[INST]  Two and two? [/INST] Four.</s>[INST] Be brief.\n\n\nAnd three?[/INST]")]
    [InlineData("mistral-tekken", "<s>[INST] Two and two? [/INST]Four. </s>[INST]Be brief.\n\n\nAnd three?[/INST]")]
    [InlineData("mistral-v7", "<s>[SYSTEM_PROMPT]Be brief.\n[/SYSTEM_PROMPT][INST] Two and two? [/INST]Four. </s>[INST]And three?[/INST]")]
    public void ATemplateRendersAConversation(string name, string wanted)
    {
        var template = ChatTemplate.Named(name);
        Assert.Equal(name, template.Name);
        Assert.Equal(wanted, template.Render([System, Question, Answer, Next]));
        Assert.StartsWith(template.Render([System, Question, Answer, Next], answer: false), wanted);
        Assert.EndsWith(template.EndOfAnswer, template.Render([System, Question, Answer], answer: false).TrimEnd());
    }

    [Fact]
    public void EveryNameIsOfATemplate() =>
        Assert.Equal(ChatTemplate.Names, ChatTemplate.Names.Select(name => ChatTemplate.Named(name).Name));

    [Fact]
    public void Qwen3LeavesOutOldThoughts()
    {
        var thought = ChatMessage.Assistant("<think>\nhm\n</think>\n\nFour.");
        var template = ChatTemplate.Named("qwen3");
        Assert.Contains("<|im_start|>assistant\nFour.<|im_end|>", template.Render([Question, thought, Next]));
        Assert.Contains("<think>\nhm\n</think>\n\nFour.<|im_end|>", template.Render([Question, thought], answer: false));
        Assert.Contains("<think>\n\n</think>\n\nFour. <|im_end|>", template.Render([Question, Answer], answer: false));
    }

    [Theory]
    [InlineData("{{ bos_token }}<|start_header_id|>{{ m['content'] | trim }}<|eot_id|>", "llama3")]
    [InlineData("Cutting Knowledge Date: December 2023 <|start_header_id|>{{ m|trim }}<|eot_id|>", "llama3.1")]
    [InlineData("{{ '<|im_start|>' + m['role'] }}", "chatml")]
    [InlineData("<|im_start|> ns.last_query_index enable_thinking <think>", "qwen3")]
    [InlineData("{{ '[INST] ' + message['content'] + ' [/INST]' }}", "mistral-of the folder")]
    public void AFoldersTemplateIsKnownByItsMarkers(string jinja, string name)
    {
        Write(new { chat_template = jinja });
        Assert.Equal(name, ChatTemplate.Of(folder).Name);
    }

    [Fact]
    public void TheBeginTokenIsTheFoldersOwn()
    {
        const string Jinja = "{{ bos_token }}<|start_header_id|>{{ m|trim }}<|eot_id|>";
        Write(new { chat_template = Jinja, bos_token = "<begin>" });
        Assert.StartsWith("<begin><|start_header_id|>user", ChatTemplate.Of(folder).Render([Question]));
        Write(new { chat_template = Jinja, bos_token = new { content = "<b>", lstrip = false } });
        Assert.StartsWith("<b><|start_header_id|>user", ChatTemplate.Of(folder).Render([Question]));
    }

    [Fact]
    public void TheDefaultSystemMessageIsTheTemplates()
    {
        Write(new { chat_template = "{{ '<|im_start|>system\\nYou are Q.<|im_end|>\\n' }}{{ '<|im_start|>' + m['role'] }}" });
        var template = ChatTemplate.Of(folder);
        Assert.StartsWith("<|im_start|>system\nYou are Q.<|im_end|>\n<|im_start|>user\n", template.Render([Question]));
        Assert.StartsWith("<|im_start|>system\nBe brief.\n<|im_end|>\n<|im_start|>user\n", template.Render([System, Question]));
    }

    [Fact]
    public void OfSeveralTemplatesTheDefaultIsTakenAndTheFileGoesBeforeAll()
    {
        Write(new { chat_template = new[] { new { name = "rag", template = "x" }, new { name = "default", template = "<|im_start|>" } } });
        Assert.Equal("chatml", ChatTemplate.Of(folder).Name);
        File.WriteAllText(Path.Combine(folder, "chat_template.jinja"), "<|start_header_id|>{{ m|trim }}<|eot_id|>");
        Assert.Equal("llama3", ChatTemplate.Of(folder).Name);
    }

    [Theory]
    [InlineData("{{ '### Instruction: ' + message }}")]
    [InlineData("[INST] <<SYS>> [/INST]")]
    [InlineData("{{ '[INST]' }} default_system_message {{ '[/INST]' }} [SYSTEM_PROMPT]")]
    [InlineData("{{ '[INST]' }} {{ '[/INST]' }} system")]
    [InlineData("<|im_start|> <think>")]
    [InlineData("<|im_start|> strftime_now")]
    [InlineData("<|start_header_id|><|eot_id|> thinking |trim")]
    [InlineData("<|start_header_id|><|eot_id|> untrimmed")]
    public void AnythingElseAsksForAName(string jinja)
    {
        Write(new { chat_template = jinja });
        Refused(folder, "none of those that are known", "llama3", "raw");
    }

    [Fact]
    public void AFolderWithoutOneAsksForAName()
    {
        Refused(folder, "no chat template", "chatml");
        Write(new { bos_token = "<s>" });
        Refused(folder, "no chat template", "raw");
        Write(new { chat_template = 7 });
        Refused("tokenizer_config.json", "chat_template is 7");
    }

    [Fact]
    public void RefusesConversationsThatCannotBe()
    {
        var mistral = ChatTemplate.Named("mistral-v3");
        Fails(() => mistral.Render([]), "empty");
        Fails(() => mistral.Render([new("tool", "x")]), "\"tool\"", "assistant");
        Fails(() => mistral.Render([Question, Next]), "message 2", "user", "assistant");
        Fails(() => mistral.Render([System, Answer]), "message 2", "in turn");
        Fails(() => ChatTemplate.Named("alpaca"), "\"alpaca\"", "llama3");
        Write(new { chat_template = "{{ '[INST] ' + message['content'] + ' [/INST]' }}" });
        Fails(() => ChatTemplate.Of(folder).Render([System, Question]), "no place for a system message");

        static void Fails(Action render, params string[] named)
        {
            var message = Assert.Throws<InputException>(render).Message;
            Assert.All(named, part => Assert.Contains(part, message));
        }
    }

    private void Write(object config) => File.WriteAllText(Path.Combine(folder, "tokenizer_config.json"), JsonSerializer.Serialize(config));

    private void Refused(params string[] named)
    {
        var message = Assert.Throws<InputException>(() => ChatTemplate.Of(folder)).Message;
        Assert.All(named, part => Assert.Contains(part, message));
        Assert.DoesNotContain('\n', message);
    }
}
