using LookaheadKV.Checkpoints;
using LookaheadKV.Generation;
using LookaheadKV.Tests.Pretraining;
using Xunit;

namespace LookaheadKV.Tests.Generation;

/// <summary>What a model's files ask for beside greedy answers is found, whatever it is.</summary>
public sealed class GenerationSettingsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("""{}""", "")]
    [InlineData("""{"eos_token_id": 2, "pad_token_id": 0, "transformers_version": "4.50.0", "use_cache": true}""", "")]
    [InlineData("""{"num_beams": 1, "length_penalty": 1.0, "no_repeat_ngram_size": 0, "suppress_tokens": [], "bad_words_ids": null}""", "")]
    [InlineData("""{"do_sample": false, "temperature": 0.6, "top_k": 20}""", "")]
    [InlineData("""{"do_sample": null, "repetition_penalty": 1}""", "")]
    [InlineData(
        """{"do_sample": true, "temperature": 0.6, "top_k": 0, "top_p": 0.95, "min_p": 0, "typical_p": 1.0}""",
        "do_sample true|temperature 0.6|top_p 0.95"
    )]
    [InlineData(
        """{"top_p": 0.5, "no_repeat_ngram_size": 3, "min_new_tokens": 5, "num_beams": 4, "length_penalty": 2.0}""",
        "no_repeat_ngram_size 3|min_new_tokens 5|num_beams 4|length_penalty 2.0"
    )]
    [InlineData(
        """{"forced_bos_token_id": 0, "forced_eos_token_id": 2, "begin_suppress_tokens": [220,    50257], "bad_words_ids": [[1]], "suppress_tokens": [1]}""",
        "forced_bos_token_id 0|forced_eos_token_id 2|begin_suppress_tokens [220, 50257]|bad_words_ids [[1]]|suppress_tokens [1]"
    )]
    [InlineData("""{"repetition_penalty": 1.1, "max_new_tokens": 2048}""", "repetition_penalty 1.1|max_new_tokens 2048")]
    public void What_changes_answers_is_listed(string json, string changes)
    {
        File.WriteAllText(_folder[ModelFiles.Config], """{"repetition_penalty": 7, "do_sample": true}"""); // the other file goes before it
        File.WriteAllText(_folder[ModelFiles.GenerationConfig], json);
        var settings = GenerationSettings.Of(_folder.Path);
        Assert.Equal(changes, string.Join('|', settings.Changes.Select(change => $"{change.Key} {change.Value}")));
        Assert.Equal(json.Contains("penalty\": 1.1") ? 1.1 : 1, settings.RepetitionPenalty);
        Assert.Equal(_folder[ModelFiles.GenerationConfig], settings.Source);
    }

    [Fact]
    public void Older_models_have_it_in_config_json_and_some_have_neither()
    {
        Assert.Empty(GenerationSettings.Of(_folder.Path).Changes);
        File.WriteAllText(_folder[ModelFiles.Config], """{"repetition_penalty": 1.5, "hidden_size": 3}""");
        var settings = GenerationSettings.Of(_folder.Path);
        Assert.Equal((1.5, _folder[ModelFiles.Config]), (settings.RepetitionPenalty, settings.Source));
        Assert.Equal([("repetition_penalty", "1.5")], settings.Changes);
    }

    [Theory]
    [InlineData("{}", false)]
    [InlineData("[]", false)]
    [InlineData("{\"7\": 1}", true)]
    [InlineData("[[7, 1]]", true)]
    [InlineData("true", true)]
    [InlineData("false", false)]
    public void What_is_empty_changes_nothing(string bias, bool changes)
    {
        File.WriteAllText(_folder[ModelFiles.GenerationConfig], $"{{\"sequence_bias\": {bias}}}");
        Assert.Equal(changes, GenerationSettings.Of(_folder.Path).Changes.Count == 1);
    }

    [Fact]
    public void A_long_value_is_shown_by_its_beginning()
    {
        foreach (var (length, shown) in new[] { (39, 39), (40, 40), (41, 40) })
        {
            var value = "\"" + new string('x', length - 2) + "\"";
            File.WriteAllText(_folder[ModelFiles.GenerationConfig], $"{{\"stop_strings\": {value}}}");
            var line = GenerationSettings.Of(_folder.Path).Changes.Single().Value;
            Assert.Equal(length > 40 ? value[..shown] + "…" : value, line);
        }
    }

    [Theory]
    [InlineData("""{"repetition_penalty": 0}""", "repetition_penalty is 0, must be a number above 0")]
    [InlineData("""{"repetition_penalty": -1.5}""", "repetition_penalty is -1.5, must be a number above 0")]
    [InlineData("""{"repetition_penalty": "1.1"}""", "repetition_penalty is \"1.1\", must be a number")]
    [InlineData("""{"do_sample": 1}""", "do_sample is 1, must be true or false")]
    [InlineData("""[1]""", "must be an object")]
    public void What_cannot_be_is_one_line(string json, string told)
    {
        File.WriteAllText(_folder[ModelFiles.GenerationConfig], json);
        var message = Assert.Throws<InputException>(() => GenerationSettings.Of(_folder.Path)).Message;
        Assert.StartsWith(_folder[ModelFiles.GenerationConfig], message);
        Assert.Contains(told, message);
        Assert.Single(message.Split('\n'));
    }
}
