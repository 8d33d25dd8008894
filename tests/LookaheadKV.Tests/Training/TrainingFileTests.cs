using LookaheadKV.Checkpoints;
using LookaheadKV.Models;
using LookaheadKV.Tests.Models;
using LookaheadKV.Tests.Pretraining;
using LookaheadKV.Tests.Text;
using LookaheadKV.Text;
using LookaheadKV.Training;
using Xunit;

namespace LookaheadKV.Tests.Training;

/// <summary>Prompts to train on: their forms, how long ones are cut, what is held out, and what each bad line is told.</summary>
public sealed class TrainingFileTests : IDisposable
{
    private static readonly Lazy<Tokenizer> Words = new(() =>
        new Tokenizer(
            BpeTrainer.Train(["two and two is four, two and three is five"], 300, ["<|im_start|>", "<|im_end|>"], SplitPatterns.Qwen2)
        )
    );

    private static readonly DecoderConfig Config = TinyDecoder.Config with { VocabularySize = 400, MaxPositions = 200 };
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static TrainingFile Reader() => new(Config, () => Words.Value, () => ChatTemplates.ChatMl);

    private IReadOnlyList<LookaheadExample> Read(string text, int maxPrompt = 100)
    {
        File.WriteAllText(_folder["data.jsonl"], text);
        return Reader().Read(_folder["data.jsonl"], maxPrompt);
    }

    [Fact]
    public void A_line_gives_ids_text_or_messages_and_perhaps_a_response()
    {
        var examples = Read(
            """
            {"prompt_ids": [5, 6, 7]}
            {"prompt": "two and two", "response": "is four"}

            {"prompt": "ignored", "prompt_ids": [1], "answer_ids": [2, 3]}
            {"messages": [{"role": "system", "content": "add"}, {"role": "user", "content": "two and three"}]}
            {"messages": [{"role": "user", "content": "two and three"}, {"role": "assistant", "content": "is five"}]}
            """
        );
        int[] Ids(string text) => Words.Value.Encode(text);
        Assert.Equal(5, examples.Count);
        Assert.Equal([5, 6, 7], examples[0].Prompt);
        Assert.Empty(examples[0].Response);
        Assert.Equal(Ids("two and two"), examples[1].Prompt);
        Assert.Equal(Ids("is four"), examples[1].Response);
        Assert.Equal([1], examples[2].Prompt);
        Assert.Equal([2, 3], examples[2].Response);
        Assert.Equal(
            Ids("<|im_start|>system\nadd<|im_end|>\n<|im_start|>user\ntwo and three<|im_end|>\n<|im_start|>assistant\n"),
            examples[3].Prompt
        );
        Assert.Equal(Ids("<|im_start|>user\ntwo and three<|im_end|>\n<|im_start|>assistant\n"), examples[4].Prompt);
        Assert.Equal(Ids("is five<|im_end|>"), examples[4].Response);
    }

    [Fact]
    public void A_response_to_messages_ends_with_the_templates_token()
    {
        File.WriteAllText(_folder["ids.jsonl"], """{"prompt_ids": [1]}""");
        File.WriteAllText(_folder["chat.jsonl"], """{"messages": [{"role": "user", "content": "two"}]}""");
        var reader = Reader();
        reader.Read(_folder["ids.jsonl"], 9);
        Assert.Empty(reader.EndTokens);
        reader.Read(_folder["chat.jsonl"], 90);
        Assert.Equal([Words.Value.Id("<|im_end|>")!.Value], reader.EndTokens);
    }

    [Fact]
    public void A_prompt_over_the_limit_loses_its_middle()
    {
        File.WriteAllText(
            _folder["data.jsonl"],
            """
            {"prompt_ids": [1, 2, 3, 4, 5, 6, 7]}
            {"prompt_ids": [1, 2, 3, 4, 5]}
            {"prompt_ids": [1, 2]}
            """
        );
        var reader = Reader();
        var examples = reader.Read(_folder["data.jsonl"], 5);
        Assert.Equal([1, 2, 3, 6, 7], examples[0].Prompt);
        Assert.Equal([1, 2, 3, 4, 5], examples[1].Prompt);
        Assert.Equal(1, reader.Cut);
        Assert.All(reader.Read(_folder["data.jsonl"], 1), example => Assert.Equal([1], example.Prompt));
    }

    [Theory]
    [InlineData("{\"prompt_ids\": [1, ", "not JSON")]
    [InlineData("[1, 2]", "the value is an array, must be an object")]
    [InlineData("{\"text\": \"x\"}", "none of \"prompt_ids\", \"messages\" and \"prompt\" is there")]
    [InlineData("{\"prompt\": \"\"}", "the prompt is empty")]
    [InlineData("{\"prompt_ids\": []}", "the prompt is empty")]
    [InlineData("{\"prompt_ids\": [3, \"x\"]}", "prompt_ids[1] is \"x\", must be a whole number")]
    [InlineData("{\"prompt_ids\": [3, 400]}", "token id 400 is outside the vocabulary 0..399")]
    [InlineData("{\"prompt_ids\": [3], \"response_ids\": [777]}", "token id 777 is outside")]
    [InlineData("{\"prompt\": 5}", "prompt is 5, must be a string")]
    [InlineData("{\"messages\": []}", "the conversation is empty")]
    [InlineData("{\"messages\": [{\"role\": \"user\"}]}", "'dict' object has no attribute 'content'")]
    [InlineData("{\"messages\": [\"x\"]}", "a message is \"x\"")]
    public void A_bad_line_is_named(string line, string part)
    {
        var lines = Enumerable.Repeat("""{"prompt_ids": [1, 2]}""", 60).ToArray();
        lines[56] = line;
        var error = Assert.Throws<InputException>(() => Read(string.Join('\n', lines)));
        Assert.StartsWith($"{_folder["data.jsonl"]}: line 57: ", error.Message);
        Assert.Contains(part, error.Message);
        Assert.Single(error.Message.Split('\n'));
    }

    [Fact]
    public void A_file_without_prompts_or_a_limit_beyond_the_context_is_refused()
    {
        Assert.Contains("holds no prompt", Assert.Throws<InputException>(() => Read(" \n\n")).Message);
        Assert.Contains("cannot be read", Assert.Throws<InputException>(() => Reader().Read(_folder["nothing"], 5)).Message);
        foreach (var limit in new[] { 0, 200, 5000 })
            Assert.Contains("choose 1..199", Assert.Throws<InputException>(() => Read("""{"prompt_ids": [1]}""", limit)).Message);
    }

    [Fact]
    public void Held_out_prompts_are_not_trained_on()
    {
        LookaheadExample[] all = [.. Enumerable.Range(0, 40).Select(i => new LookaheadExample([i], []))];
        var (training, held) = TrainingFile.HoldOut(all, 7, seed: 3);
        Assert.Equal(7, held.Count);
        Assert.Equal(all.Select(e => e.Prompt[0]), training.Concat(held).Select(e => e.Prompt[0]).Order());
        Assert.Equal(held, TrainingFile.HoldOut(all, 7, seed: 3).HeldOut);
        Assert.NotEqual(held, TrainingFile.HoldOut(all, 7, seed: 4).HeldOut);
        Assert.Contains("hold out fewer", Assert.Throws<InputException>(() => TrainingFile.HoldOut(all, 40, 0)).Message);
    }

    [Fact]
    public void An_epoch_sees_every_prompt_once_and_steps_need_none_before_them()
    {
        LookaheadExample[] all = [.. Enumerable.Range(0, 10).Select(i => new LookaheadExample([i], []))];
        var source = TrainingFile.Shuffled(all, batch: 4, seed: 2);
        var seen = Enumerable.Range(0, 5).SelectMany(step => source(step)).Select(e => e.Prompt[0]).ToArray();
        Assert.Equal(Enumerable.Range(0, 10), seen[..10].Order());
        Assert.Equal(Enumerable.Range(0, 10), seen[10..].Order());
        Assert.NotEqual(seen[..10], seen[10..]);
        Assert.Equal(seen[8..12], TrainingFile.Shuffled(all, 4, 2)(2).Select(e => e.Prompt[0]));
    }

    /// <summary>Runs that go on, and figures that were measured on held-out prompts, need the choice of today tomorrow.</summary>
    [Fact]
    public void Orders_are_what_they_were()
    {
        LookaheadExample[] all = [.. Enumerable.Range(0, 8).Select(i => new LookaheadExample([i], []))];
        Assert.Equal([1, 4, 5], TrainingFile.HoldOut(all, 3, seed: 5).HeldOut.Select(e => e.Prompt[0]));
        var source = TrainingFile.Shuffled(all, batch: 8, seed: 5);
        Assert.Equal([1, 3, 0, 5, 6, 7, 4, 2], source(0).Select(e => e.Prompt[0]));
        Assert.Equal([5, 0, 7, 6, 4, 3, 2, 1], source(1).Select(e => e.Prompt[0]));
    }

    [Fact]
    public void Lines_are_counted_as_they_are_read()
    {
        File.WriteAllText(_folder["data.jsonl"], "{\"prompt_ids\": [1]}\n\n{\"prompt_ids\": [2]}\n");
        var counts = new List<int>();
        Reader().Read(_folder["data.jsonl"], 5, new Inline<int>(counts.Add));
        Assert.Equal([1, 2], counts);
    }
}
