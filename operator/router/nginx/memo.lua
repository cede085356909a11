--- The results of a function by its argument, which others choose: when there are too many, all are forgotten.
return function(compute, most)
  local known, count = {}, 0
  return function(value)
    local result = known[value]
    if result == nil then
      if count == most then known, count = {}, 0 end
      result = compute(value)
      known[value], count = result, count + 1
    end
    return result
  end
end
