using System.Text.Json;
using LookaheadKV.Models;
using LookaheadKV.Passes;
using LookaheadKV.Tests.Pretraining;
using LookaheadKV.Text;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Checkpoints.Gguf;

/// <summary>SmolLM2-135M-Instruct from its GGUF file, and from the folder that convert makes of it, against transformers and tokenizers.</summary>
public sealed class RealModelTests
{
    private const int Shortest = 36; // the same weights: one chat tells

    private sealed record Text(string text, int[] ids);

    private sealed record Chat(string user, string prompt, int[] ids);

    private sealed record Answer(int[] ids, int[] greedy, int[] top_ids, float[] top_logits);

    [Fact]
    public void Ids_and_texts_are_those_of_the_tokenizers_library()
    {
        var tokenizer = Tokenizer.Load(RealModel.SmolLm2);
        var texts = Reference<Text>("tokens.json");
        Assert.Equal(106, texts.Count);
        foreach (var (text, ids) in texts)
        {
            Assert.Equal(ids, tokenizer.Encode(text));
            Assert.Equal(text, tokenizer.Decode(ids));
        }
        Assert.Equal([2], EndTokens.Of(RealModel.SmolLm2));
    }

    [Fact]
    public void Chats_are_rendered_as_transformers_renders_them()
    {
        var (tokenizer, template) = (Tokenizer.Load(RealModel.SmolLm2), ChatTemplate.Of(RealModel.SmolLm2));
        var chats = Reference<Chat>("answers.json");
        Assert.Equal(5, chats.Count);
        foreach (var (user, prompt, ids) in chats)
        {
            Assert.Equal(prompt, template.Render([ChatMessage.User(user)]));
            Assert.Equal(ids, tokenizer.Encode(prompt));
        }
        Assert.Equal(2, template.EndToken(tokenizer));
    }

    [Fact]
    public void Logits_and_greedy_tokens_are_those_of_transformers()
    {
        Check(RealModel.SmolLm2, int.MaxValue);
        using var folder = new TemporaryFolder();
        GgufConversion.ToFolder(RealModel.SmolLm2, folder["out"]);
        Check(folder["out"], Shortest);
        var tokenizer = Tokenizer.Load(folder["out"]);
        Assert.All(Reference<Text>("tokens.json"), text => Assert.Equal(text.ids, tokenizer.Encode(text.text)));
    }

    // One pass over a chat and its answer: every token of the answer must be the most likely one after those before it.
    private static void Check(string model, int longest)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var decoder = Decoder.Load(model);
        foreach (var (ids, greedy, top, logits) in Reference<Answer>("answers.json").Where(answer => answer.ids.Length <= longest))
        {
            using var inner = NewDisposeScope();
            int[] all = [.. ids, .. greedy];
            var hidden = PromptPass.Run(decoder, decoder.Ids(all), (_, _) => { });
            var rows = decoder.Logits(hidden.narrow(1, ids.Length - 1, greedy.Length))[0];
            var difference = top.Zip(logits, (token, logit) => Math.Abs(rows[0, token].item<float>() - logit)).Max();
            Assert.True(difference <= 1e-3, $"{model}: logits differ by {difference}");
            Assert.Equal(greedy, rows.argmax(-1).data<long>().Select(token => (int)token));
        }
    }

    private static List<T> Reference<T>(string file) =>
        JsonSerializer.Deserialize<List<T>>(File.ReadAllText(RealModel.At("smollm2-135m-instruct", "reference", file)))!;
}
