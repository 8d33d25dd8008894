using System.Text.Json;
using Xunit;

namespace LookaheadKV.Tests.Cli;

/// <summary><c>lookahead render</c>: the prompt of a conversation, and its ids.</summary>
public sealed class RenderTests : IDisposable
{
    private const string Config = """
        {"bos_token": "<b>", "chat_template": [
          {"name": "default", "template": "{{ bos_token }}{% for m in messages %}{{ m.role[0] }}:{{ m.content }};{% endfor %}{% if add_generation_prompt %}a:{% endif %}{{ tools }}{{ mood }}"},
          {"name": "strict", "template": "\n{{ raise_exception('Not today.') }}"}]}
        """;

    private readonly Bench _bench = new();

    public RenderTests()
    {
        File.WriteAllText(Path.Combine(_bench.Model, "tokenizer_config.json"), Config);
        _bench.Write("list.json", """[{"role": "user", "content": "é\n"}]""");
        _bench.Write(
            "whole.json",
            """{"messages": [{"role": "user", "content": "q"}], "tools": [{"n": 1}], "mood": "good", "add_generation_prompt": false}"""
        );
    }

    public void Dispose() => _bench.Dispose();

    [Theory]
    [InlineData("<b>u:é\n;a:None", "--messages", "{list.json}")]
    [InlineData("<b>u:é\n;None", "--messages", "{list.json}", "--no-generation-prompt")]
    [InlineData("<b>u:q;[{'n': 1}]good", "--messages", "{whole.json}")]
    [InlineData("<b>u:q;[{'n': 1}]good", "--messages", "{whole.json}", "--no-generation-prompt")]
    [InlineData("<b>u:é\n;a:Nonebad", "--messages", "{list.json}", "--template-variables", """ {"mood": "bad"}""")]
    public async Task It_prints_the_prompt(string wanted, params string[] options)
    {
        var ran = await _bench.Run(["render", "--model", "{model}", .. options, "--json", "{out.json}"]);
        Assert.Equal("", ran.Error);
        Assert.Equal(wanted + Environment.NewLine, ran.Output);
        var json = _bench.Json("out.json");
        Assert.Equal(wanted, json.GetProperty("text").GetString());
        Assert.Equal(JsonValueKind.Null, json.GetProperty("ids").ValueKind); // there is no tokenizer
    }

    [Theory]
    [InlineData(1, "chat template, line 2: Not today.", "--messages", "{list.json}", "--template", "strict")]
    [InlineData(
        1,
        "there is no chat template \"lax\"; name one of default, strict, or a file",
        "--messages",
        "{list.json}",
        "--template",
        "lax"
    )]
    [InlineData(1, "nothing.json: no such file; give a JSON file of messages", "--messages", "{nothing.json}")]
    [InlineData(2, "--messages", "--no-generation-prompt")]
    [InlineData(2, "not a JSON object", "--messages", "{list.json}", "--template-variables", "[1]")]
    public async Task What_is_wrong_is_one_line(int code, string told, params string[] options)
    {
        var ran = await _bench.Run(["render", "--model", "{model}", .. options]);
        Assert.Equal(code, ran.ExitCode);
        Assert.Contains(told, ran.Error);
        Assert.Single(ran.Error.Trim().Split('\n'));
        Assert.Equal("", ran.Output);
    }
}
