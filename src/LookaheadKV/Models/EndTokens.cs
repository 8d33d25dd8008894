using LookaheadKV.Checkpoints;

namespace LookaheadKV.Models;

/// <summary>The tokens that end an answer, wherever a model names them.</summary>
public static class EndTokens
{
    private const string Key = "eos_token_id";

    /// <summary>
    /// The ids of <c>eos_token_id</c> in config.json and generation_config.json, one or several in each, in order and each once; those of the
    /// model's class where neither file says anything of them. A model may have neither file.
    /// </summary>
    /// <exception cref="InputException">A file is damaged, or its ids are not whole numbers.</exception>
    public static IReadOnlyList<int> Of(ModelFiles files)
    {
        var fields = new[] { ModelFiles.Config, ModelFiles.GenerationConfig }
            .Where(files.Has)
            .Select(file => files.Json(file, root => root[Key]))
            .Where(field => field.IsGiven)
            .ToList();
        if (fields.Count == 0 && files.Has(ModelFiles.Config))
            return files.Json(ModelFiles.Config, HuggingFaceConfig.EndTokens);
        return [.. fields.SelectMany(field => field.OneOrMany()).Select(id => id.Integer()).Distinct().Order()];
    }

    /// <summary>The same, of the model at a path.</summary>
    public static IReadOnlyList<int> Of(string model) => Of(ModelFiles.Open(model));
}
