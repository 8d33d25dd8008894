using LookaheadKV.Files;
using LookaheadKV.Models;
using LookaheadKV.Text;

namespace LookaheadKV.Training;

/// <summary>
/// Prompts to train on, one JSON object a line: <c>prompt_ids</c> (token ids), <c>messages</c> (objects with what the model's chat template reads, and put
/// into it) or <c>prompt</c> (text, encoded as it is); and, where there is one, <c>response_ids</c> or <c>response</c> (<c>answer_ids</c> and
/// <c>answer</c> mean the same), or an assistant's last message.
/// </summary>
/// <param name="config">The model's vocabulary and context.</param>
/// <param name="tokenizer">Gives the model's tokenizer; asked only where there is a text.</param>
/// <param name="template">Gives the model's chat template; asked only where there are messages.</param>
public sealed class TrainingFile(DecoderConfig config, Func<Tokenizer> tokenizer, Func<ChatTemplate> template)
{
    private readonly Lazy<Tokenizer> _tokenizer = new(tokenizer);
    private readonly Lazy<ChatTemplate> _template = new(template);

    /// <summary>Prompts that were longer than the limit, in all files read so far.</summary>
    public int Cut { get; private set; }

    /// <summary>Tokens beside those of the model's configuration that end a response: that of the chat template, where one was used.</summary>
    public IReadOnlyList<int> EndTokens => _template.IsValueCreated && _template.Value.EndToken(_tokenizer.Value) is { } id ? [id] : [];

    /// <summary>Reads all lines of a file; blank ones are passed over.</summary>
    /// <param name="path">The file.</param>
    /// <param name="maxPrompt">Longer prompts lose their middle: the first and the last half of this many tokens stay.</param>
    /// <param name="progress">Receives the number of lines read.</param>
    /// <exception cref="InputException">The limit leaves no room in the model's context, the file holds no prompt, or a line is none: it is named.</exception>
    public IReadOnlyList<LookaheadExample> Read(string path, int maxPrompt, IProgress<int>? progress = null)
    {
        if (maxPrompt < 1 || maxPrompt >= config.MaxPositions)
            throw new InputException(
                $"prompts of up to {maxPrompt} tokens leave no room for a response: the model's context is {config.MaxPositions}; choose 1..{config.MaxPositions - 1}."
            );
        var examples = new List<LookaheadExample>();
        foreach (var line in JsonFile.Lines(path))
        {
            examples.Add(Named(line.Source, () => Example(line, maxPrompt)));
            progress?.Report(examples.Count);
        }
        return examples.Count > 0 ? examples : throw new InputException($"{path} holds no prompt; write one JSON object a line.");
    }

    /// <summary>Epochs over examples, each in an order of its own; a pure function of the step.</summary>
    /// <param name="examples">The examples.</param>
    /// <param name="batch">Examples a step.</param>
    /// <param name="seed">Seed of the orders.</param>
    public static ExampleSource Shuffled(IReadOnlyList<LookaheadExample> examples, int batch, long seed)
    {
        return step =>
        {
            var orders = new Dictionary<long, int[]>();
            return [.. Enumerable.Range(0, batch).Select(i => At(step * batch + i))];

            LookaheadExample At(long place)
            {
                var (epoch, index) = Math.DivRem(place, examples.Count);
                if (!orders.TryGetValue(epoch, out var order))
                    orders.Add(epoch, order = Order(examples.Count, seed, epoch));
                return examples[order[index]];
            }
        };
    }

    /// <summary>Holds examples back to measure on: <paramref name="count"/> of them, chosen by the seed alone, and the rest in their order.</summary>
    /// <exception cref="InputException">Nothing is left to train on.</exception>
    public static (IReadOnlyList<LookaheadExample> Training, IReadOnlyList<LookaheadExample> HeldOut) HoldOut(
        IReadOnlyList<LookaheadExample> examples,
        int count,
        long seed
    )
    {
        if (count >= examples.Count)
            throw new InputException($"of {examples.Count} prompts {count} cannot be held out and some be trained on; hold out fewer.");
        var held = Order(examples.Count, seed, epoch: -1).Take(count).ToHashSet();
        return ([.. examples.Where((_, i) => !held.Contains(i))], [.. held.Order().Select(i => examples[i])]);
    }

    private static int[] Order(int count, long seed, long epoch)
    {
        var order = Enumerable.Range(0, count).ToArray();
        new Random(unchecked((int)(seed * 1_000_003 + epoch))).Shuffle(order);
        return order;
    }

    private LookaheadExample Example(JsonField line, int maxPrompt)
    {
        var (prompt, spoken) = Prompt(line);
        if (prompt.Length == 0)
            throw new InputException("the prompt is empty; give at least one token, or delete the line.");
        var response = Ids(line, "response") ?? Ids(line, "answer") ?? spoken ?? [];
        if (prompt.Concat(response).FirstOrDefault(id => id >= config.VocabularySize) is > 0 and var wrong)
            throw new InputException(
                $"token id {wrong} is outside the vocabulary 0..{config.VocabularySize - 1}; were the ids made by another tokenizer?"
            );
        if (prompt.Length > maxPrompt)
            Cut++;
        return new LookaheadExample(MiddleTruncation.Ids(prompt, maxPrompt), response);
    }

    private (int[] Prompt, int[]? Response) Prompt(JsonField line)
    {
        if (line.Find("prompt_ids") is null && line.Find("messages") is { } messages)
            return Conversation([.. messages.Items().Select(static message => new ChatMessage(message.Element))]);
        return Ids(line, "prompt") is { } ids
            ? (ids, null)
            : throw new InputException("none of \"prompt_ids\", \"messages\" and \"prompt\" is there; give one.");
    }

    // An assistant's last message is the response, with what the template puts behind it.
    private (int[] Prompt, int[]? Response) Conversation(ChatMessage[] messages)
    {
        var (tokenizer, template) = (_tokenizer.Value, _template.Value);
        if (messages is not [.. { Length: > 0 } asked, { Role: ChatMessage.AssistantRole }])
            return (tokenizer.Encode(template.Render(messages)), null);
        var (prompt, whole) = (template.Render(asked), template.Render(messages, answer: false));
        return whole.StartsWith(prompt, StringComparison.Ordinal)
            ? (tokenizer.Encode(prompt), tokenizer.Encode(whole[prompt.Length..].TrimEnd()))
            : throw new InputException(
                "the chat template writes the conversation before its last answer otherwise than when it asks for that answer; give \"prompt\" and \"response\" instead."
            );
    }

    private int[]? Ids(JsonField line, string name) =>
        line.Find(name + "_ids") is { } ids ? [.. ids.Items().Select(id => id.Count())]
        : line.Find(name) is { } text ? _tokenizer.Value.Encode(text.Text())
        : null;

    private static T Named<T>(string source, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (InputException e) when (!e.Message.Contains(source))
        {
            throw new InputException($"{source}: {e.Message}", e);
        }
    }
}
