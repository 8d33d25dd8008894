using System.Text.Json;
using LookaheadKV.Checkpoints;
using LookaheadKV.Files;

namespace LookaheadKV.Text;

/// <summary>The tokens that a tokenizer's files give names, such as <c>bos_token</c>: variables of a chat template.</summary>
internal static class SpecialTokens
{
    private const string Suffix = "_token";
    private const string MapFile = "special_tokens_map.json";
    private const string Additional = "additional_special_tokens";
    private const string Extra = "extra_special_tokens";

    /// <summary>
    /// The texts by their names, as transformers gives them to a template: those of tokenizer_config.json; before files held
    /// <c>added_tokens_decoder</c>, those of special_tokens_map.json went before them.
    /// </summary>
    /// <exception cref="InputException">A file is damaged.</exception>
    public static IReadOnlyDictionary<string, JsonElement> Read(ModelFiles files)
    {
        var found = new Dictionary<string, JsonElement>();
        var isLegacy = true;
        if (files.Has(ModelFiles.TokenizerConfig))
            isLegacy = files.Json(ModelFiles.TokenizerConfig, root => !Add(found, root)["added_tokens_decoder"].Present);
        if (isLegacy && files.Has(MapFile))
            files.Json(MapFile, root => Add(found, root));
        return found;
    }

    private static JsonField Add(Dictionary<string, JsonElement> found, JsonField root)
    {
        foreach (var (name, value) in root.Properties())
        {
            if (name.EndsWith(Suffix, StringComparison.Ordinal) && Content(value) is { } text)
                found[name] = Json(text);
            else if (name == Additional && value.IsArray)
                found[name] = Json(value.Items().Select(Content).OfType<string>().ToArray());
        }
        // Tokens of the model's own, under the names that its processor has for them.
        if (root[Extra] is { IsObject: true } extra)
        {
            foreach (var (name, value) in extra.Properties())
            {
                if (Content(value) is { } text)
                    found[name] = Json(text);
            }
        }
        return root;
    }

    // A token is written as its text, or as an object that holds it. Switches such as add_bos_token are neither.
    private static string? Content(JsonField field) =>
        field.IsText ? field.Text()
        : field.IsObject && field["content"].IsText ? field["content"].Text()
        : null;

    private static JsonElement Json<T>(T value) => JsonSerializer.SerializeToElement(value);
}
