using System.Text.Json;
using LookaheadKV.Files;
using LookaheadKV.Tests.Pretraining;
using LookaheadKV.Text;
using Xunit;

namespace LookaheadKV.Tests.Text;

/// <summary>Small files beside a model: folders of texts, conversations, the tokenizer's configuration, and what messages show of them.</summary>
public sealed class TextFolderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Texts_come_in_the_order_of_their_names()
    {
        Refused("no/such", "no/such: no such folder");
        File.WriteAllText(_folder["readme.md"], "not this");
        Refused(_folder.Path, "holds no *.txt");
        File.WriteAllText(_folder["b.txt"], "second");
        File.WriteAllText(_folder["a.txt"], "first é");
        File.WriteAllText(_folder["Z.txt"], "capitals go first");
        Assert.Equal(["capitals go first", "first é", "second"], TextFolder.Read(_folder.Path));
        File.WriteAllBytes(_folder["b.txt"], [(byte)'a', (byte)'b', 0xFF]);
        Refused(_folder.Path, $"{_folder["b.txt"]} is not UTF-8 (byte ");
        File.Delete(_folder["b.txt"]);
        File.CreateSymbolicLink(_folder["b.txt"], "is-not-there");
        Refused(_folder.Path, $"{_folder["b.txt"]} cannot be read");

        static void Refused(string folder, string told) =>
            Assert.Contains(told, Assert.Throws<InputException>(() => TextFolder.Read(folder)).Message);
    }

    [Fact]
    public void A_conversation_has_messages_and_the_last_of_each_variable()
    {
        var path = _folder["talk.json"];
        Assert.Contains("talk.json: no such file", Assert.Throws<InputException>(() => Conversation.Read(path)).Message);
        File.WriteAllText(path, """{"messages": [{"role": "user", "content": "hi"}], "date": "first", "date": "last", "other": 1}""");
        var talk = Conversation.Read(path);
        Assert.Single(talk.Messages);
        Assert.Equal(["date", "other"], talk.Variables.Keys);
        Assert.Equal("last", talk.Variables["date"].GetString());
        File.WriteAllText(path, """[{"role": "user", "content": "hi"}]""");
        Assert.Empty(Conversation.Read(path).Variables);
    }

    [Fact]
    public void A_tokenizers_configuration_is_written_as_it_is_said()
    {
        var path = _folder["tokenizer_config.json"];
        TokenizerConfig.Write(path, "<é>", "</s>", 1);
        Assert.Equal(
            """
            {
              "tokenizer_class": "PreTrainedTokenizerFast",
              "bos_token": "<é>",
              "eos_token": "</s>",
              "pad_token": "</s>",
              "model_max_length": 1,
              "clean_up_tokenization_spaces": false
            }
            """,
            File.ReadAllText(path)
        );
        Assert.Contains("model_max_length 0", Assert.Throws<InputException>(() => TokenizerConfig.Write(path, null, null, 0)).Message);
    }

    [Fact]
    public void A_long_value_is_shown_by_its_beginning()
    {
        foreach (var length in (int[])[79, 80, 81])
        {
            var raw = "\"" + new string('x', length - 2) + "\"";
            using var document = JsonDocument.Parse(raw);
            Assert.Equal(length <= 80 ? raw : raw[..80] + "…", Quoting.Shown(document.RootElement));
        }
    }
}
