using System.Text.Json;
using LookaheadKV.Tests.Text;
using LookaheadKV.Text;
using Xunit;

namespace LookaheadKV.Tests.Cli;

/// <summary><c>lookahead generate</c> and <c>tokenize</c> on texts: sampling, stops, chat templates.</summary>
public sealed class GenerateTests : IDisposable
{
    private readonly Bench _bench = new();

    public void Dispose() => _bench.Dispose();

    [Fact]
    public async Task A_seed_draws_the_same_again_and_another_seed_something_else()
    {
        var one = await Ids("--temperature", "50", "--seed", "1");
        Assert.Equal(one, await Ids("--temperature", "50", "--seed", "1"));
        Assert.NotEqual(one, await Ids("--temperature", "50", "--seed", "2"));
        Assert.Equal(await Ids(), await Ids("--temperature", "1e-9", "--seed", "2"));
        Assert.Equal(await Ids(), await Ids("--temperature", "50", "--top-k", "1"));
        Assert.Equal(await Ids(), await Ids("--temperature", "50", "--top-p", "1e-9"));
        Assert.Equal(await Ids(), await Ids("--temperature", "50", "--min-p", "1"));
    }

    [Fact]
    public async Task What_the_model_asks_for_is_done_or_named_in_one_line()
    {
        _bench.Write("ids.json", "[3, 9, 3]"); // a penalty on all tokens of the vocabulary would move none
        var plain = await Ids();
        var file = Path.Combine(_bench.Model, "generation_config.json");
        File.WriteAllText(
            file,
            """{"eos_token_id": 0, "do_sample": true, "temperature": 0.6, "top_k": 5, "repetition_penalty": 50, "num_beams": 4}"""
        );
        var (ids, error) = await Noted();
        Assert.Equal(
            $"note: {file}: repetition_penalty 50 is applied; do_sample true, temperature 0.6, top_k 5, num_beams 4 are not applied: the most likely token is taken (see --temperature).\n",
            error
        );
        Assert.NotEqual(plain, ids);
        (ids, error) = await Noted("--repetition-penalty", "1", "--temperature", "0");
        Assert.Equal(plain, ids);
        Assert.Equal($"note: {file}: top_k 5, num_beams 4 are not applied: the most likely token is taken (see --temperature).\n", error);
        File.WriteAllText(file, """{"eos_token_id": 0}""");
        Assert.Equal(await Ids("--repetition-penalty", "50"), (await Noted("--repetition-penalty", "50")).Ids);

        async Task<(int[] Ids, string Error)> Noted(params string[] options)
        {
            var ran = await _bench.RunOnModel(
                "generate",
                ["--ids", "{ids.json}", "--max-new-tokens", "10", "--json", "{o.json}", .. options]
            );
            Assert.Equal(0, ran.ExitCode);
            return ([.. _bench.Json("o.json").GetProperty("ids").EnumerateArray().Select(id => id.GetInt32())], ran.Error);
        }
    }

    [Fact]
    public async Task A_comparison_names_what_its_answers_leave_out()
    {
        var file = Path.Combine(_bench.Model, "generation_config.json");
        File.WriteAllText(file, """{"eos_token_id": 0, "repetition_penalty": 1.5, "do_sample": false, "top_p": 0.5}""");
        var ran = await _bench.RunOnModel("compare", "--policies", "random"); // which has no tokenizer, and ends there
        Assert.StartsWith(
            $"note: {file}: repetition_penalty 1.5 is not applied: all policies answer with the most likely tokens.\n",
            ran.Error
        );
    }

    [Fact]
    public async Task The_answer_ends_before_a_stop_string()
    {
        AddTokenizer();
        var (whole, ids) = await Answer("--prompt", "abcabc");
        Assert.True(whole.Length > 2, whole);
        var stop = whole[^2..];
        var (cut, fewer) = await Answer("--prompt", "abcabc", "--stop", "not there", "--stop", stop);
        Assert.Equal(whole[..whole.IndexOf(stop, StringComparison.Ordinal)], cut);
        Assert.Equal(ids[..fewer.Length], fewer);
    }

    [Fact]
    public async Task The_prompt_is_raw_unless_a_template_is_asked_for()
    {
        AddTokenizer();
        File.WriteAllText(Path.Combine(_bench.Model, "tokenizer_config.json"), """{"chat_template": "{{ messages | spell }}"}""");
        Assert.Equal(3, await PromptTokens("--prompt", "abc"));
        Assert.Equal(3, await PromptTokens("--prompt", "abc", "--template", "raw"));
        Assert.Contains("no filter 'spell'", (await Run("--prompt", "abc", "--chat")).Error);
        File.WriteAllText(
            Path.Combine(_bench.Model, "tokenizer_config.json"),
            """
            {"bos_token": "a", "chat_template": "{{ bos_token }}{% if messages[0].role == 'system' %}{{ raise_exception('No system here.') }}{% endif %}[INST]{{ messages[0]['content'] }}[/INST]"}
            """
        );
        Assert.Equal(6, await PromptTokens("--prompt", "abc", "--chat")); // a [INST] abc [/INST]
        Assert.Equal(5, await PromptTokens("--prompt-file", _bench.Write("question.txt", "bc"), "--chat"));
        var refused = await Run("--prompt", "abc", "--system", "be brief");
        Assert.Equal(1, refused.ExitCode);
        Assert.Contains("No system here.", refused.Error);
        var own = _bench.Write("own.jinja", "{{ messages[0].content }}{{ bos_token }}");
        Assert.Equal(4, await PromptTokens("--prompt", "abc", "--template", own));
        Assert.Contains("no such file", (await Run("--prompt", "abc", "--template", "nothing.jinja")).Error);
        Assert.Contains(
            "there is no chat template \"alpaca\"; name one of default",
            (await Run("--prompt", "abc", "--template", "alpaca")).Error
        );
    }

    [Theory]
    [InlineData("--temperature -1", "temperature -1 is out of range")]
    [InlineData("--temperature hot", "\"hot\" is not a number")]
    [InlineData("--temperature 1 --top-k 0", "top-k 0")]
    [InlineData("--temperature 1 --top-k 2.5", "\"2.5\" is not a whole number")]
    [InlineData("--temperature 1 --top-p 0", "top-p 0")]
    [InlineData("--temperature 1 --min-p 1.5", "min-p 1.5")]
    [InlineData("--repetition-penalty 0", "repetition penalty 0 is out of range")]
    [InlineData("--repetition-penalty x", "\"x\" is not a number")]
    [InlineData("--top-k 5", "--top-k filters what is sampled; give a --temperature")]
    [InlineData("--temperature 0 --min-p 0.5", "--min-p filters")]
    [InlineData("--ids {ids.json} --chat", "exactly one of --prompt")]
    [InlineData("--template raw --chat", "--chat and --template raw are contrary")]
    public async Task Usage_errors_are_one_line(string options, string part)
    {
        var ran = await _bench.RunOnModel("generate", ["--prompt", "abc", .. options.Split(' ')]);
        Assert.Equal(2, ran.ExitCode);
        Assert.Contains(part, ran.Error);
        Assert.Single(ran.Error.Trim().Split('\n'));
    }

    [Fact]
    public async Task Ids_take_no_template_and_no_stop_without_a_tokenizer()
    {
        foreach (
            var option in (string[][])
                [
                    ["--chat"],
                    ["--system", "x"],
                    ["--template", "chatml"],
                ]
        )
        {
            var ran = await _bench.RunOnModel("generate", ["--ids", "{ids.json}", .. option]);
            Assert.Equal(2, ran.ExitCode);
            Assert.Contains($"{option[0]} works on a text", ran.Error);
        }

        Assert.Contains("has no tokenizer", (await _bench.RunOnModel("generate", "--ids", "{ids.json}", "--stop", "x")).Error);
    }

    [Fact]
    public async Task Tokenize_takes_a_SentencePiece_model()
    {
        Directory.CreateDirectory(_bench["sp"]);
        SentencePieceModel.Sample().Write(Path.Combine(_bench["sp"], "tokenizer.model"));
        string[] texts = [.. Samples.Templates(5), "", "🙂 </s>"];
        _bench.Write("texts.json", JsonSerializer.Serialize(texts));
        var ran = await _bench.Run("tokenize", "--model", "{sp}", "--texts", "{texts.json}", "--out", "{tokens.json}");
        Assert.Equal("", ran.Error);
        var tokenizer = Tokenizer.Load(_bench["sp"]);
        Assert.Equal(texts.Select(tokenizer.Encode), JsonSerializer.Deserialize<int[][]>(File.ReadAllText(_bench["tokens.json"])));
    }

    /// <summary>Sixteen tokens for the toy model, over characters: letters, an unknown token, and Mistral's markers.</summary>
    private void AddTokenizer()
    {
        var vocabulary = "abcdefghijklm".Select((letter, i) => (letter.ToString(), i + 1)).Append(("?", 0)).ToDictionary();
        var rules = new TextRules { UnknownToken = "?", Decoders = [new TokenDecoder.Replace("▁", " ")] };
        AddedToken[] added = [new(14, "[INST]", true), new(15, "[/INST]", true)];
        new TokenizerJson(vocabulary, [], added, rules, "toy").Write(Path.Combine(_bench.Model, "tokenizer.json"));
    }

    private async Task<int[]> Ids(params string[] options)
    {
        var ran = await _bench.RunOnModel("generate", ["--ids", "{ids.json}", "--max-new-tokens", "10", "--json", "{o.json}", .. options]);
        Assert.Equal("", ran.Error);
        return [.. _bench.Json("o.json").GetProperty("ids").EnumerateArray().Select(id => id.GetInt32())];
    }

    private async Task<(string Text, int[] Ids)> Answer(params string[] options)
    {
        var ran = await Run([.. options, "--temperature", "9", "--seed", "5", "--max-new-tokens", "12", "--json", "{o.json}"]);
        Assert.Equal("", ran.Error);
        var answer = _bench.Json("o.json");
        var text = answer.GetProperty("text").GetString()!;
        Assert.StartsWith(text + Environment.NewLine + "[full: ", ran.Output);
        return (text, [.. answer.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32())]);
    }

    private async Task<int> PromptTokens(params string[] options)
    {
        var ran = await Run([.. options, "--max-new-tokens", "2", "--json", "{o.json}"]);
        Assert.Equal("", ran.Error);
        return _bench.Json("o.json").GetProperty("promptTokens").GetInt32();
    }

    private Task<Ran> Run(params string[] options) => _bench.RunOnModel("generate", options);
}
