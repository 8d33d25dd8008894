using LookaheadKV.Files;

namespace LookaheadKV.Text;

/// <summary>Reads, of the post-processors of a tokenizer.json, which control tokens they put around a prompt.</summary>
internal static class PostProcessorReader
{
    public static PromptEnds Read(JsonField field)
    {
        var ends = new PromptEnds([], []);
        foreach (var step in TokenizerJsonReader.Steps(field, "processors"))
        {
            var outer = Ends(step);
            ends = new PromptEnds([.. outer.Before, .. ends.Before], [.. ends.Behind, .. outer.Behind]);
        }

        return ends;
    }

    private static PromptEnds Ends(JsonField step) =>
        step["type"].Text() switch
        {
            "ByteLevel" => new PromptEnds([], []), // it moves offsets only
            "TemplateProcessing" => Template(step),
            "RobertaProcessing" or "BertProcessing" => new PromptEnds([Id(step["cls"])], [Id(step["sep"])]),
            _ => throw step["type"]
                .Unsupported("the post-processors TemplateProcessing, ByteLevel, RobertaProcessing, BertProcessing and a Sequence of them"),
        };

    /// <summary>A pair of a token and its id.</summary>
    private static int Id(JsonField pair) =>
        pair.Items().ToArray() is [_, var id] ? id.Integer() : throw pair.Unsupported("a token and its id");

    private static PromptEnds Template(JsonField step)
    {
        var (before, behind) = (new List<int>(), new List<int>());
        var prompts = 0;
        foreach (var item in step["single"].Items())
        {
            if (item["SpecialToken"].Present)
                (prompts == 0 ? before : behind).AddRange(Ids(step, item["SpecialToken"]["id"].Text()));
            else if (item["Sequence"]["id"].Text() == "A" && prompts == 0)
                prompts++;
            else
                throw item.Unsupported("special tokens around one sequence A");
        }

        return prompts == 1 ? new PromptEnds(before, behind) : throw step["single"].Unsupported("special tokens around one sequence A");
    }

    private static IEnumerable<int> Ids(JsonField step, string token) =>
        step["special_tokens"][token]["ids"].Items().Select(id => id.Integer());
}
